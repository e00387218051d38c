import math

import pytest

from automl import Condition, ConfigurationError


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("params <= 5e5", 500_000.0, True),
        ("params<=5e5", 500_001.0, False),
        ("  a.b_c >= -1 ", -1.0, True),
        ("x < 1_000", 999.0, True),
        ("x > 1", 1.0, False),
        ("x == 1", 1.0, True),
        ("x != 1", 1.0, False),
        ("x <= inf", 1e300, True),
        ("x <= 1", math.nan, False),
        ("x == 1", math.nan, False),
        ("x != 1", math.nan, True),
    ],
)
def test_it_compares_one_metric_with_a_number(text, value, holds):
    condition = Condition.parse(text)
    assert condition.holds({condition.metric: value, "other": 0.0}) is holds
    assert (condition.violation({condition.metric: value}) == 0) is holds


def test_without_the_metric_nothing_holds():
    for text in ("x <= 1", "x != 1"):
        assert not Condition.parse(text).holds({})
        assert Condition.parse(text).violation({}) == math.inf


def test_the_violation_is_relative_to_the_bound():
    assert Condition.parse("params <= 200").violation({"params": 300.0}) == 0.5
    assert Condition.parse("x >= -2").violation({"x": -3.0}) == 0.5
    assert Condition.parse("x < 1").violation({"x": 1.0}) > 0, "at the bound it is violated, if only just"
    assert 0 < Condition.parse("x != 0").violation({"x": 0.0}) < 1e-9
    assert Condition.parse("x <= 0").violation({"x": math.inf}) == math.inf


@pytest.mark.parametrize(
    "text", ["", "params", "<= 5", "params <= ", "params <= many", "5 <= params", "a <= b <= 3", "a =< 3", "a() < 3"]
)
def test_what_it_cannot_read_is_answered_with_the_right_form(text):
    with pytest.raises(ConfigurationError, match="write it as 'params <= 5e5'"):
        Condition.parse(text)


def test_it_is_written_as_it_is_read():
    for text in ("params <= 500000", "x != 0.5"):
        assert str(Condition.parse(text)) == text
        assert Condition.parse(str(Condition.parse(text))) == Condition.parse(text)


def test_a_large_bound_survives_being_written():
    assert Condition.parse(str(Condition.parse("params <= 1234567"))) == Condition.parse("params <= 1234567")
