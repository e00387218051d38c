"""The books of a study: what simulated time costs, and when it ends a search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl import ledger
from automl.api import go_on, start
from automl.definition import parse_definition
from automl.study import Study, StudyState


def run(folder: Path, **changes: Any) -> Study:
    values: dict[str, Any] = {
        "name": "study",
        "space": "nas_cell",
        "strategy": "regularized_evolution",
        "evaluators": [{"name": "automl_fakes:Table"}],
        "budget": {"time": 100.0},
        "trackers": [],
        **changes,
    }
    return start(parse_definition(values), storage=str(folder / "automl.db"))


def originals(study: Study) -> int:
    return sum(record.duplicate_of is None for record in study.records)


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_budget_in_seconds_counts_what_the_table_simulates(tmp_path: Path, deterministic: bool) -> None:
    study = run(tmp_path, execution={"deterministic": deterministic})
    assert study.state is StudyState.COMPLETED
    assert originals(study) == 10
    assert study.record.elapsed == pytest.approx(100)


def test_what_has_started_is_kept_when_it_crosses_the_budget(tmp_path: Path) -> None:
    study = run(tmp_path, evaluators=[{"name": "automl_fakes:Table", "seconds": 30.0}])
    assert originals(study) == 4
    assert study.record.elapsed == pytest.approx(120)


def test_simulated_time_is_extended_like_any_budget(tmp_path: Path) -> None:
    study = run(tmp_path)
    go_on(study, seconds=250.0)
    assert originals(study) == 25
    assert study.record.elapsed == pytest.approx(250)


def test_the_clock_is_what_counts_until_there_is_a_budget_in_seconds(tmp_path: Path) -> None:
    study = run(tmp_path, evaluators=[{"name": "automl_fakes:Table", "seconds": 1e6}], budget={"trials": 5})
    assert study.record.elapsed < 1000
    go_on(study, seconds=7e6, trials=20)
    assert originals(study) == 7
    assert study.record.elapsed == pytest.approx(7e6)


def test_repeats_take_no_simulated_time_unless_they_count(tmp_path: Path) -> None:
    small = {"name": "nas_cell", "max_nodes": 3}
    free = run(tmp_path, space=small, strategy="random_search", budget={"time": 120.0})
    counted = run(tmp_path, name="counted", space=small, strategy="random_search", count_duplicates=True)
    assert len(free.records) > originals(free) == 12
    assert len(counted.records) == 10 > originals(counted)


def test_a_search_whose_trials_take_no_simulated_time_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "TIMELESS", 40)
    study = run(tmp_path, evaluators=[{"name": "automl_fakes:Table", "seconds": 0.0}])
    assert study.state is StudyState.EXHAUSTED
    assert originals(study) == 40
    assert "no simulated time" in (study.record.reason or "")


def test_remarks_go_to_repeats_and_to_other_studies(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "space": {"name": "automl_fakes:MlpSpace"},
        "task": {"name": "automl_fakes:NoData"},
        "evaluators": [{"name": "automl_fakes:Partly"}, {"name": "automl_fakes:Landscape"}],
        "budget": {"trials": 30},
    }
    first = run(tmp_path, **settings)
    second = run(tmp_path, name="second", **settings)
    remarks = {record.canonical_key: record.remarks for record in first.records if record.duplicate_of is None}
    assert {"cheap": "unsupported: nothing to measure it on"} in remarks.values()
    assert {} in remarks.values()
    for study in (first, second):
        assert any(record.duplicate_of is not None and record.remarks for record in study.records)
        assert all(trial.remarks == remarks[trial.key] for trial in study.trials)
    assert any(record.is_cached and record.remarks for record in second.records)


def test_a_trial_whose_objective_was_not_measured_says_why(tmp_path: Path) -> None:
    study = run(
        tmp_path,
        space={"name": "automl_fakes:MlpSpace"},
        task={"name": "automl_fakes:NoData"},
        evaluators=[{"name": "automl_fakes:Partly"}],
        budget={"trials": 30},
    )
    errors = {record.error for record in study.records if record.state == "failed"}
    why = "the evaluators reported no cheap (unsupported: nothing to measure it on)"
    assert errors == {f"the objective is not a finite number: {why}"}
