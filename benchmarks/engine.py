"""Overhead of one trial: ask, store, tell; a no-op evaluator on a SQLite file; paired in one run with Optuna.

Both sides sample the same 26 categorical decisions of ``nas_cell`` uniformly, evaluate nothing, and keep their study
in a SQLite file with the same pragmas: write-ahead log, `synchronous=FULL`. Prints a table and one JSON line.
"""

from __future__ import annotations

import logging
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import optuna
import psutil
from _outcome import report
from sqlalchemy import event
from sqlalchemy.engine import Engine

from automl import Candidate, Context, Evaluator, Metric, Progress, Task, Tracker, Trial, derive_rng
from automl.api import start
from automl.definition import parse_definition
from automl_spaces.nas_cell import NasCell

TRIALS = 1_000
OPTUNA_TRIALS = 200
LONG = 10_000
PAIRS = 3
TARGETS = {
    "overhead_ratio_to_optuna": ("<=", 0.5),
    "last_to_first_thousand": ("<=", 1.5),
    "memory_growth_mib_2k_to_10k": ("<=", 40.0),
}


class NoOp(Evaluator):
    """Answers at once, with a number that depends on the candidate."""

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Declare one score."""
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the number of edges."""
        return {"score": float(sum(candidate.architecture[name] is True for name in candidate.architecture))}


class Marker(Tracker):
    """Notes the time and the memory at every thousandth trial."""

    def __init__(self, marks: list[tuple[float, int]]) -> None:
        super().__init__()
        self._marks = marks

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        """Note."""
        if trial.number % 1_000 == 999:
            self._marks.append((time.process_time(), psutil.Process().memory_info().rss))


def run_automl(folder: Path, trials: int, marks: list[tuple[float, int]] | None = None) -> float:
    """Return the seconds of one study of ``trials`` trials."""
    definition = parse_definition(
        {
            "space": {"name": "nas_cell"},
            "strategy": {"name": "random_search"},
            "evaluators": [{"name": f"{Path(__file__).stem}:NoOp"}],
            "budget": {"trials": trials},
            "trackers": [],
            "count_duplicates": True,
            "evaluation_seeds": "trial",
        }
    )
    trackers: list[Tracker] = [] if marks is None else [Marker(marks)]
    started = time.perf_counter()
    start(definition, storage=str(folder / "automl.db"), extra_trackers=trackers)
    return time.perf_counter() - started


def run_optuna(folder: Path, trials: int) -> float:
    """Return the seconds of the same study in Optuna."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = NasCell()
    decisions = space.decisions(space.sample(derive_rng(0, "benchmark")))

    def objective(trial: optuna.Trial) -> float:
        chosen = [trial.suggest_categorical(d.name, d.options) for d in decisions if d.kind == "categorical"]
        return float(sum(value is True for value in chosen))

    @event.listens_for(Engine, "connect")
    def pragmas(connection: sqlite3.Connection, record: object) -> None:
        """Same durability as automl's store."""
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    started = time.perf_counter()
    try:
        storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'optuna.db'}")
        study = optuna.create_study(
            storage=storage, sampler=optuna.samplers.RandomSampler(seed=0), direction="maximize"
        )
        study.optimize(objective, n_trials=trials)
    finally:
        event.remove(Engine, "connect", pragmas)
    return time.perf_counter() - started


def measure() -> dict[str, float]:
    """Return the figures: milliseconds a trial of both, their ratio, and how time and memory grow."""
    ours, theirs = [], []
    for _ in range(PAIRS):
        with tempfile.TemporaryDirectory() as folder:
            ours.append(1_000 * run_automl(Path(folder), TRIALS) / TRIALS)
            theirs.append(1_000 * run_optuna(Path(folder), OPTUNA_TRIALS) / OPTUNA_TRIALS)
    marks: list[tuple[float, int]] = []
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        run_automl(Path(folder), LONG, marks)
    seconds = [end - start for start, end in zip([began, *(t for t, _ in marks)], (t for t, _ in marks), strict=False)]
    return {
        "automl_ms_per_trial": statistics.median(ours),
        "optuna_ms_per_trial": statistics.median(theirs),
        "overhead_ratio_to_optuna": statistics.median(a / b for a, b in zip(ours, theirs, strict=True)),
        "last_to_first_thousand": seconds[-1] / statistics.median(seconds[:2]),
        "memory_growth_mib_2k_to_10k": (marks[-1][1] - marks[1][1]) / 2**20,
    }


def main() -> None:
    """Measure and print."""
    logging.getLogger("automl").setLevel(logging.ERROR)
    report("engine", measure(), TARGETS)


if __name__ == "__main__":
    main()
