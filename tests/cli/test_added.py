import pytest

from automl.cli._added import are_default, metrics_wanted, with_reporters
from automl.definition import StudyDefinition
from automl.reporters import advice_on, reporters_of
from automl.testing.problems import TinyTask

DEFAULT = [spec.model_dump() for spec in StudyDefinition().evaluators]
DIGITS = {"name": "digits", "options": {}}


def names(specs):
    return [spec["name"] for spec in specs]


def test_an_objective_of_one_evaluator_adds_it_before_training(caplog):
    caplog.set_level("INFO", "automl")
    added = with_reporters(DEFAULT, ["latency_ms", "val_accuracy", "peak_memory_mb"], DIGITS)
    assert names(added) == ["cost", "latency", "train"]
    assert caplog.messages == ["evaluator latency was added, since it reports latency_ms"]
    assert names(DEFAULT) == ["cost", "train"]


def test_what_is_there_unknown_ambiguous_or_a_table_adds_nothing():
    for metric in ("params", "nothing_of_the_kind", "val_accuracy", "test_accuracy"):
        assert with_reporters(DEFAULT, [metric], DIGITS) == DEFAULT


def test_a_task_that_cannot_be_made_is_left_for_the_check():
    assert with_reporters(DEFAULT, ["latency_ms"], {"name": "no_such_task", "options": {}}) == DEFAULT


def test_metrics_are_those_of_objectives_and_constraints():
    found = metrics_wanted(["latency_ms:min", "broken"], ["params <= 5e5", "also broken", "loss.* < 3"])
    assert found == ["latency_ms", "params"]


def test_default_evaluators_are_known_by_name():
    assert are_default(DEFAULT)
    assert not are_default(DEFAULT[:1])


def test_evaluators_that_report_a_metric_are_found_and_named():
    assert reporters_of("latency_ms", TinyTask()) == ["latency"]
    assert "train" in reporters_of("val_accuracy", TinyTask())
    assert "--evaluator latency" in advice_on("latency_ms", TinyTask())
    assert "evaluators that report it: " in advice_on("val_accuracy", TinyTask(), present=["cost"])
    assert advice_on("nothing", TinyTask()) == ""


@pytest.mark.parametrize("flag", ["--objective=latency_ms:min", "--constraint=latency_ms <= 2"])
def test_named_evaluators_stay_as_they_are_and_the_error_says_which_to_name(flag, tiny):
    ran = tiny("--trials", "2", flag)
    assert ran.code == 4
    assert "evaluator 'latency' reports it; name it beside the study's others: --evaluator latency" in ran.err
