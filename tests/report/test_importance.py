"""Importances against functions whose shares of variance are known."""

import numpy as np
import pytest

from automl import Architecture
from automl.report.importance import FORETOLD, LEAST, Importance, encoded, importance_of


def drawn(count, seed=0):
    rng = np.random.default_rng(seed)
    return [
        Architecture.of({"a": str(rng.integers(2)), "b": str(rng.integers(2)), "c": int(rng.integers(8))})
        for _ in range(count)
    ]


def roles(architectures):
    return [{"a": "letter", "b": "letter", "c": "count"} for _ in architectures]


def test_shares_are_those_of_an_additive_function():
    found = drawn(600)
    # Variances of the terms: 4 * 1/4 = 1 and 1 * 1/4; "c" says nothing. Ranks of four values keep their order.
    values = [2.0 * (each["a"] == "1") + 1.0 * (each["b"] == "1") for each in found]
    importance = importance_of(found, roles(found), values)
    assert isinstance(importance, Importance)
    shares = {name: share for name, _, share in importance.decisions}
    assert importance.foretold == pytest.approx(1, abs=0.02)
    assert shares["a"] == pytest.approx(0.8, abs=0.06)
    assert shares["b"] == pytest.approx(0.2, abs=0.04)
    assert shares.get("c", 0.0) < 0.01
    assert importance.roles["letter"] == pytest.approx(1, abs=0.06)
    assert next(iter(importance.roles)) == "letter"


def test_noise_has_no_importance():
    found = drawn(80)
    said = importance_of(found, roles(found), np.random.default_rng(1).random(80).tolist())
    assert isinstance(said, str)
    assert "foretells almost nothing" in said
    assert FORETOLD > 0


def test_few_networks_and_equal_values_say_why():
    few, many = drawn(LEAST - 1), drawn(LEAST)
    assert f"there are {LEAST - 1}" in importance_of(few, roles(few), [float(n) for n in range(LEAST - 1)])
    assert "alike" in importance_of(many, roles(many), [1.0] * LEAST)


def test_every_kind_of_answer_has_columns_and_absent_ones_are_told_apart():
    first = Architecture.of({"n": 3, "flag": True, "set": (0, 2), "none": None})
    second = Architecture.of({"n": 5, "flag": False, "set": (1,), "none": "x", "extra": 1})
    columns, owners = encoded([first, second])
    assert columns.shape == (2, len(owners))
    assert owners.count("n") == 1
    assert owners.count("set") == 3
    assert set(owners) == {"n", "flag", "set", "none", "extra"}
    assert columns[:, owners.index("extra")].tolist() == [-1.0, 1.0]


def test_importance_does_not_touch_global_randomness():
    found = drawn(40)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    first = importance_of(found, roles(found), [float(each["c"]) for each in found])
    assert importance_of(found, roles(found), [float(each["c"]) for each in found]) == first
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
