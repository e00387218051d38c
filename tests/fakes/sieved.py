"""Studies with a cheap evaluator that sorts out and a dear one behind it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from automl.api import start
from automl.definition import parse_definition
from automl.storage.records import TrialRecord
from automl.study import Study

SIEVE, DEAR = "automl_fakes:Partly", "automl_fakes:Landscape"


def run(folder: Path, name: str, sieve: dict[str, Any], *, trials: int = 30, **more: Any) -> Study:
    """Run a study, its first evaluator with the options ``sieve``; ``more`` are settings of it."""
    values: dict[str, Any] = {
        "name": name,
        "space": {"name": "automl_fakes:MlpSpace"},
        "task": {"name": "automl_fakes:NoData"},
        "strategy": "random_search",
        "evaluators": [{"name": SIEVE, **sieve}, {"name": DEAR}],
        "budget": {"trials": trials},
        "trackers": [],
        **more,
    }
    return start(parse_definition(values), storage=str(folder / "automl.db"))


def table(study: Study) -> list[TrialRecord]:
    """Return everything about a study's trials but clocks, attempts, revisions and keys that its seed decides."""
    unlike: dict[str, Any] = {"revision": 0, "started": 0.0, "finished": 0.0, "attempts": 0}
    return [replace(record, **unlike) for record in study.records]
