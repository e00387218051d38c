"""What is said when a study ends: what to type for more, and what went wrong if most did."""

import pytest

from automl.api import start
from automl.cli._counts import count_text, larger_budget, mostly_failed, rejections, rejections_text
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


def rejecting(tmp_path, stages, **more):
    values = {
        "space": "automl_fakes:MlpSpace",
        "task": "automl_fakes:NoData",
        "strategy": "random_search",
        "evaluators": [*stages, {"name": "automl_fakes:Landscape", "reject": "score < 0.2"}],
        "budget": {"trials": 40},
        "trackers": [],
        **more,
    }
    return start(parse_definition(values), storage=str(tmp_path / "automl.db"))


def test_rejections_are_counted_by_stage_and_reason(tmp_path):
    partly = {"name": "automl_fakes:Partly", "reject": "cheap > 40", "distinct": "cheap"}
    study = rejecting(tmp_path, [partly], constraints=["size <= 4"])
    found = rejections(study)
    originals = [record for record in study.records if record.duplicate_of is None and record.state == "rejected"]
    assert list(found) == ["automl_fakes:Partly", "automl_fakes:Landscape", "constraints"]
    assert sum(reasons.total() for reasons in found.values()) == len(originals)
    assert set(found["automl_fakes:Partly"]) == {"cheap > 40", "same cheap as an earlier trial"}
    assert found["automl_fakes:Landscape"] == {"score < 0.2": found["automl_fakes:Landscape"].total()}
    stages = ", ".join(f"{stage} {reasons.total()}" for stage, reasons in found.items())
    assert f"{len(originals)} rejected ({stages})" in count_text(study)
    assert len(rejections_text(study)) == 3


def test_shares_that_were_kept_are_one_reason(tmp_path):
    study = rejecting(tmp_path, [{"name": "automl_fakes:Partly", "keep": 0.25}])
    assert set(rejections(study)["automl_fakes:Partly"]) == {"not among the best 25 %"}


def test_a_study_that_rejects_nothing_says_nothing_of_it(tmp_path):
    study = rejecting(tmp_path, [], evaluators=["automl_fakes:Landscape"])
    assert rejections_text(study) == []
    assert "rejected" not in count_text(study)
