import math

import numpy as np
import pytest

from automl import make_component


def test_logarithms_of_shares_of_ranks_are_added_up():
    columns = {"a": np.array([9.0, 2.0, 4.0]), "b": np.array([7.0, 7.0, np.nan])}
    found = make_component("aggregator", "log_rank").combine(columns, {"a": "min", "b": "max"})
    expected = [math.log(1 / 3 * 2.5 / 3), math.log(3 / 3 * 2.5 / 3), math.log(2 / 3 * 1 / 3)]
    assert found.tolist() == pytest.approx(expected)


def test_one_bad_rank_costs_more_than_one_good_rank_gains():
    columns = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([3.0, 2.0, 1.0])}
    found = make_component("aggregator", "log_rank").combine(columns, {"a": "max", "b": "max"})
    assert np.argmax(found) == 1
