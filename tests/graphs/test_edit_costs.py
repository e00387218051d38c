from __future__ import annotations

import pytest

from automl.errors import ConfigurationError
from automl.graphs.edit_costs import EditCosts


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_cost_that_is_no_finite_length_is_refused(value):
    with pytest.raises(ConfigurationError, match="`edge_delete` must be a finite cost"):
        EditCosts(edge_delete=value)


def test_reversing_twice_changes_nothing():
    costs = EditCosts(1, 2, 3, 4, 5, 6)
    assert costs.reversed().reversed() == costs
    assert costs.reversed() == EditCosts(2, 1, 3, 5, 4, 6)


def test_only_whole_costs_are_integral():
    assert EditCosts().is_integral
    assert not EditCosts(node_relabel=0.5).is_integral
