"""Numbers that overflow become a status, in whatever part of a formula they are."""

import pytest
import zoo

from automl_plugins.evaluators.zero_cost import score


@pytest.mark.parametrize("proxy", ["zico", "grad_sign", "knas", "az_nas", "zen"])
def test_inputs_that_are_no_numbers_give_no_score(proxy):
    animal = zoo.made("group_norm_only")
    images, labels = animal.batch
    images[0, 0, 0, 0] = float("nan")
    found = score(animal.network, (images, labels), proxies=(proxy,))
    draws_its_own_inputs = {"zen", "az_complexity"}
    assert {one.status for name, one in found.items() if name not in draws_its_own_inputs} <= {"not_finite"}
