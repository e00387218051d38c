"""What is said when a study ends: what to type for more, and what went wrong if most did."""

import pytest

from automl.api import start
from automl.cli._counts import larger_budget, mostly_failed
from automl.cli._options import duration
from automl.definition import parse_definition


@pytest.mark.parametrize("seconds", [0.25, 33.3, 60_000.0])
def test_the_larger_budget_in_time_can_be_typed(tmp_path, seconds):
    values = {
        "space": "nas_cell",
        "strategy": "random_search",
        "evaluators": [{"name": "automl_fakes:Table", "seconds": seconds}],
        "budget": {"time": 1.5 * seconds},
        "trackers": [],
    }
    study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
    flag, text = larger_budget(study).split()
    assert flag == "--time"
    assert duration(text) == pytest.approx(4 * seconds, rel=0.01)


@pytest.mark.parametrize("seed", range(4))
def test_the_commonest_error_is_named_when_most_trials_failed(tmp_path, seed):
    values = {
        "space": "nas_cell",
        "seed": seed,
        "strategy": "random_search",
        "evaluators": [{"name": "automl_fakes:Trouble", "way": "raise"}],
        "budget": {"trials": 5},
        "trackers": [],
    }
    study = start(parse_definition(values), storage=str(tmp_path / "automl.db"))
    failed = sum(trial.state == "failed" for trial in study.trials if trial.duplicate_of is None)
    assert (2 * failed > 5) is (mostly_failed(study) is not None)
    if text := mostly_failed(study):
        assert text == f"{failed} failed ({failed}x: ValueError: this candidate is no good)"
