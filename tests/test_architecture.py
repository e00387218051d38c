import json
import pickle

import pytest

from automl import Architecture, InvalidArchitecture

RECORD = {"depth": 2, "rate": 0.1, "is_on": True, "kind": None, "name": "β", "inputs": (0, 2), "none": ()}


def test_it_is_a_mapping_in_the_order_of_the_questions():
    one = Architecture.of(RECORD)
    assert dict(one) == RECORD
    assert list(one) == list(RECORD)
    assert len(one) == 7
    assert "depth" in one
    with pytest.raises(KeyError):
        one["width"]


def test_it_survives_json_and_pickle():
    one = Architecture.of(RECORD)
    back = Architecture.from_json(json.loads(json.dumps(one.to_json())))
    assert back == one
    assert hash(back) == hash(one)
    assert json.loads(str(one)) == one.to_json()
    assert pickle.loads(pickle.dumps(one)) == one


def test_it_cannot_be_changed():
    one = Architecture.of(RECORD)
    with pytest.raises(AttributeError):
        one.items_ = ()
    with pytest.raises(TypeError):
        one["depth"] = 3


def test_different_answers_and_orders_are_different_records():
    assert Architecture.of({"a": 1}) != Architecture.of({"a": 2})
    assert Architecture.of({"a": 1, "b": 2}) != Architecture.of({"b": 2, "a": 1})


@pytest.mark.parametrize("value", [{"a": 1}, [1.5], [[1]], ["x"], [True], b"x"])
def test_what_no_decision_answers_is_refused(value):
    with pytest.raises(InvalidArchitecture, match="'odd' must be a boolean, number, string, null or list of integers"):
        Architecture.from_json({"odd": value})
