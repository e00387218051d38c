"""Numbers that overflow become a status, in whatever part of a formula they are."""

import pytest
import zoo

from automl import ComponentSpec
from automl_plugins.evaluators.zero_cost import score


@pytest.mark.parametrize("proxy", ["zico", "grad_sign", "knas", "az_nas"])
def test_inputs_that_are_no_numbers_give_no_score(proxy):
    animal = zoo.made("group_norm_only")
    images, labels = animal.batch
    images[0, 0, 0, 0] = float("nan")
    options = {"inputs": "batch"} if proxy == "az_nas" else {}
    found = score(animal.network, (images, labels), proxies=(ComponentSpec(name=proxy, options=options),))
    assert {one.status for name, one in found.items() if name != "az_complexity"} == {"not_finite"}
