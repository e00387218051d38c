"""When two evaluations are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from automl.api import start
from automl.definition import parse_definition
from automl.study import Study


def run(folder: Path, evaluator: str, **changes: Any) -> Study:
    values: dict[str, Any] = {
        "space": {"name": "nas_cell", "max_nodes": 4},
        "strategy": "random_search",
        "evaluators": [evaluator],
        "budget": {"trials": 60},
        "trackers": [],
        **changes,
    }
    return start(parse_definition(values), storage=str(folder / "automl.db"))


def test_networks_share_their_results_and_encodings_of_a_table_do_not(tmp_path: Path) -> None:
    by_network = run(tmp_path, "automl_fakes:Landscape")
    keys = [record.canonical_key for record in by_network.records if record.duplicate_of is None]
    assert len(set(keys)) == len(keys) == 60

    by_encoding = run(tmp_path, "automl_fakes:Table")
    records = [record for record in by_encoding.records if record.duplicate_of is None]
    encodings = [str(record.architecture) for record in records]
    assert len(set(encodings)) == len(encodings) == 60
    assert len({record.canonical_key for record in records}) < 60


def test_the_best_of_isomorphic_encodings_is_the_best(tmp_path: Path) -> None:
    study = run(tmp_path, "automl_fakes:Table")
    assert study.best[0].metrics["score"] == max(trial.metrics["score"] for trial in study.trials)
    assert len({trial.key for trial in study.top(1000)}) == len(study.top(1000))


def test_a_study_that_looks_at_no_task_gets_none_and_others_get_digits(tmp_path: Path) -> None:
    assert run(tmp_path, "automl_fakes:Table").definition.task.name == "none"
    assert run(tmp_path, "cost", budget={"trials": 1}).definition.task.name == "digits"
