"""The definition of a correlation: what is filled in, and what is refused at the door."""

import pytest

from automl.correlation.definition import completed, in_order, parse_correlation, prepared_correlation
from automl.definition import DefinitionError
from automl.errors import ConfigurationError

SCORES, ACCURACY = "tiny_correlations:Scores", "tiny_correlations:Accuracy"
SMALL = {"space": "automl_fakes:MlpSpace", "evaluators": [SCORES, ACCURACY], "trackers": []}


def defined(correlation=None, **values):
    return parse_correlation({**SMALL, "correlation": correlation or {}, **values})


def test_a_sample_is_random_unless_the_file_says_otherwise():
    assert defined().strategy.name == "random_search"
    assert defined(strategy="regularized_evolution").strategy.name == "regularized_evolution"


def test_the_metric_is_by_default_the_first_of_the_last_evaluator():
    found = completed(defined())
    assert (found.objectives, found.correlation.metric) == (("val_accuracy:max",), "val_accuracy")


def test_the_metric_is_the_objective_with_the_direction_that_it_declares():
    assert completed(defined({"metric": "test_accuracy"})).objectives == ("test_accuracy:max",)
    assert completed(defined(objectives=["test_accuracy:min"])).objectives == ("test_accuracy:min",)
    with pytest.raises(DefinitionError, match="is not the objective 'test_accuracy:max'"):
        completed(defined({"metric": "val_accuracy"}, objectives=["test_accuracy:max"]))


def test_completing_again_changes_nothing():
    once = completed(defined({"metric": "test_accuracy"}))
    assert completed(parse_correlation(once.model_dump())) == once


def test_counting_is_added_where_nothing_counts():
    found = completed(defined(evaluators=[ACCURACY]))
    assert [spec.name for spec in found.evaluators] == ["cost", ACCURACY]
    assert [spec.name for spec in completed(defined()).evaluators] == [SCORES, ACCURACY]


@pytest.mark.parametrize("proxies", [["naswot"], "naswot", [{"name": "naswot"}, "flops"]])
def test_proxies_are_timed_and_counting_is_among_them(proxies):
    [spec] = defined(evaluators=[{"name": "zero_cost", "proxies": proxies}]).evaluators
    named = [each if isinstance(each, str) else each["name"] for each in spec.options["proxies"]]
    assert sorted(named) == ["flops", "naswot", "params"]
    assert spec.options["timings"] is True


def test_timing_can_be_left_out():
    [spec] = defined(evaluators=[{"name": "zero_cost", "proxies": ["naswot"], "timings": False}]).evaluators
    assert spec.options["timings"] is False


def test_proxies_come_after_look_ups_and_before_training():
    assert in_order([ACCURACY, "train"]) == (ACCURACY, "zero_cost", "train")
    assert in_order(["train"]) == ("zero_cost", "train")
    assert in_order(["train", "zero_cost"]) == ("train", "zero_cost")
    assert in_order(["nonsense"]) == ("zero_cost", "nonsense")


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("accuracy", "unknown metric 'accuracy'; did you mean 'val_accuracy'"),
        ("params", "'params' is one of the scores that are compared"),
    ],
)
def test_a_metric_that_cannot_be_compared_with_is_refused(metric, words):
    with pytest.raises(DefinitionError, match=words) as raised:
        completed(defined({"metric": metric}))
    assert raised.value.path == ("correlation", "metric")


def test_a_correlation_without_a_metric_is_refused():
    with pytest.raises(ConfigurationError, match="needs a metric to compare scores with"):
        completed(defined(evaluators=["cost"]))


def test_a_sample_larger_than_the_space_is_refused():
    assert prepared_correlation(defined(budget={"trials": 78})).definition.budget.trials == 78
    with pytest.raises(
        DefinitionError, match=r"a sample of 79 cannot be drawn: the space .* has 78 different networks"
    ):
        prepared_correlation(defined(budget={"trials": 79}))


@pytest.mark.parametrize(
    ("correlation", "words"),
    [
        ({"precision": 3}, "unknown setting in correlation 'precision'; did you mean 'precision_at'"),
        ({"precision_at": ["0%"]}, "cannot read '0%'; write a share as '10%', or a number from 1 as '20'"),
        ({"precision_at": [0]}, "cannot read '0'"),
        ({"precision_at": ["120%"]}, "cannot read '120%'"),
        ({"precision_at": [-3]}, "cannot read '-3'"),
        ({"resamples": 10}, "`correlation.resamples`: input should be greater than or equal to 100"),
    ],
)
def test_a_mistake_is_named(correlation, words):
    with pytest.raises(DefinitionError, match=words):
        defined(correlation)


def test_sizes_are_shares_or_numbers():
    assert defined({"precision_at": ["2.5 %", 20, "20"]}).correlation.precision_at == ("2.5%", "20")


def test_a_correlation_has_one_metric():
    with pytest.raises(DefinitionError, match="one metric"):
        defined(objectives=["val_accuracy:max", "params:min"])
