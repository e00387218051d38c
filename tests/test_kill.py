"""Pull the plug: a study is killed at random moments, resumed, and must end as if nothing had happened."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automl.api import load_study

TRIALS = 60


def definition(**changes: Any) -> dict[str, Any]:
    return {
        "name": "killed",
        "space": {"name": "nas_cell", "max_nodes": 5},
        "task": {"name": "automl_fakes:NoData"},
        "strategy": {"name": "sep_crossover", "population_size": 10},
        "evaluators": [{"name": "automl_fakes:Landscape", "seconds": 0.02}],
        "budget": {"trials": TRIALS},
        "trackers": [],
        "max_attempts": 100,
        **changes,
    }


def spawn(storage: Path, study: dict[str, Any]) -> subprocess.Popen[bytes]:
    script = Path(__file__).parent / "fakes" / "automl_fake_run.py"
    command = [sys.executable, str(script), str(storage), json.dumps(study)]
    return subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE)


def finish(storage: Path, study: dict[str, Any]) -> None:
    process = spawn(storage, study)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


def table(storage: Path) -> list[tuple[Any, ...]]:
    """Everything about a study's trials but clocks and attempts, as it must come out every time."""
    records = load_study("killed", storage=str(storage)).records
    return [
        (r.number, r.state, r.architecture, r.cache_key, r.seed, r.note, r.metrics, r.told_order, r.duplicate_of)
        for r in records
    ]


def check_budget(storage: Path) -> None:
    study = load_study("killed", storage=str(storage))
    counts = study.store.counts(study.record.id)
    assert counts["completed"] == TRIALS
    assert counts["running"] == 0
    orders = sorted(record.told_order for record in study.records if record.told_order is not None)
    assert orders == list(range(len(study.records))), "every trial is told exactly once"
    assert [record.number for record in study.records] == list(range(len(study.records)))


@pytest.mark.parametrize(
    ("kills", "execution"),
    [(20, {}), (5, {"workers": 2, "deterministic": True})],
    ids=["one worker", "two workers, deterministic"],
)
def test_a_study_killed_at_random_moments_equals_the_uninterrupted_one(
    tmp_path: Path, kills: int, execution: dict[str, Any]
) -> None:
    study = definition(execution=execution)
    finish(tmp_path / "whole.db", study)
    moments = random.Random(0)
    for _ in range(kills):
        process = spawn(tmp_path / "killed.db", study)
        time.sleep(moments.uniform(0.2, 1.6 if not execution else 6.0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(tmp_path / "killed.db", study)
    assert table(tmp_path / "killed.db") == table(tmp_path / "whole.db")
    check_budget(tmp_path / "killed.db")


@pytest.mark.slow
def test_a_killed_study_keeps_the_best_of_the_same_generations(tmp_path: Path) -> None:
    sieve = {"name": "automl_fakes:Partly", "keep": 0.25, "keep_of": 8}
    dear = {"name": "automl_fakes:Landscape", "seconds": 0.2}
    study = definition(evaluators=[sieve, dear], execution={"workers": 2, "deterministic": True})
    finish(tmp_path / "whole.db", study)
    moments = random.Random(1)
    for _ in range(6):
        process = spawn(tmp_path / "killed.db", study)
        time.sleep(moments.uniform(1.0, 5.0))
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    finish(tmp_path / "killed.db", study)
    killed, whole = (load_study("killed", storage=str(tmp_path / f"{name}.db")).records for name in ("killed", "whole"))
    assert table(tmp_path / "killed.db") == table(tmp_path / "whole.db")
    assert [(r.thresholds, r.remarks, r.error) for r in killed] == [(r.thresholds, r.remarks, r.error) for r in whole]
    assert {record.state for record in killed} == {"completed", "rejected"}


def test_a_candidate_that_kills_the_engine_is_given_up_after_max_attempts(tmp_path: Path) -> None:
    study = definition(
        space={"name": "automl_fakes:MlpSpace"},
        strategy={"name": "random_search"},
        evaluators=[{"name": "automl_fakes:Trouble", "way": "kill"}],
        budget={"trials": 4},
        max_attempts=2,
    )
    for _ in range(20):
        process = spawn(tmp_path / "killed.db", study)
        process.communicate(timeout=60)
        if process.returncode == 0:
            break
    records = load_study("killed", storage=str(tmp_path / "killed.db")).records
    given_up = [record for record in records if record.error_kind == "gave_up" and record.duplicate_of is None]
    assert given_up
    assert all(record.attempts == 2 for record in given_up)
    assert sum(record.duplicate_of is None for record in records) == 4
