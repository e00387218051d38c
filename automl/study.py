"""A study as people read it: its definition, state, trials and best architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from automl.definition import StudyDefinition
from automl.errors import UsageError
from automl.hypervolume import hypervolume, hypervolumes
from automl.objectives import Goal, pareto_front
from automl.storage.records import StudyRecord, TrialRecord
from automl.storage.store import Store
from automl.trial import Trial


class StudyState(StrEnum):
    """Life of a study.

    ``created`` and ``running`` change to ``completed`` (budget spent or strategy done), ``exhausted`` (nothing new to
    propose), ``failed`` (a mistake in a component) or ``interrupted``. All of them but ``running`` can be resumed.
    """

    CREATED = "created"
    RUNNING = "running"
    COMPLETED = "completed"
    EXHAUSTED = "exhausted"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class Study:
    """A study in a store. Reading only: `automl.search` and `automl.resume` run one."""

    store: Store
    name: str

    @property
    def record(self) -> StudyRecord:
        """The row of the study, as it is now."""
        return self.store.study(self.name)

    @cached_property
    def definition(self) -> StudyDefinition:
        """The frozen definition."""
        return StudyDefinition.model_validate(dict(self.record.definition))

    @cached_property
    def goal(self) -> Goal:
        """Objectives and constraints; the defaults were filled in when the study was made."""
        return self.definition.goal("")

    @property
    def state(self) -> StudyState:
        """The state; a study whose engine died is ``interrupted``."""
        record = self.record
        if record.state == StudyState.RUNNING and not self.store.is_live(record.id):
            return StudyState.INTERRUPTED
        return StudyState(record.state)

    @property
    def spent(self) -> int:
        """Number of finished trials that count towards the budget."""
        counts = self.store.counts(self.record.id)
        repeats = counts["repeats"] if self.definition.count_duplicates else 0
        return repeats + sum(counts[state] for state in ("completed", "failed", "rejected", "pruned"))

    @property
    def records(self) -> list[TrialRecord]:
        """All trials as stored, in order of number."""
        return self.store.trials(self.record.id)

    @property
    def trials(self) -> list[Trial]:
        """All trials, in order of number."""
        return [record.trial(self.goal) for record in self.records]

    @property
    def best(self) -> list[Trial]:
        """The best feasible trial, or the Pareto front sorted by the first objective; without repeats."""
        return best_of(self.trials, self.goal)

    @property
    def hypervolume(self) -> float | None:
        """The hypervolume of what was found within the reference point; ``None`` when the study declares none."""
        if not self.goal.reference:
            return None
        return hypervolume([trial.losses for trial in self.trials if trial.is_feasible], self.goal.worst_losses)

    @property
    def hypervolumes(self) -> list[float]:
        """The hypervolume after each told trial, in their order; empty when the study declares no reference point."""
        told = sorted((record.told_order, record.number) for record in self.records if record.told_order is not None)
        trials = {trial.number: trial for trial in self.trials} if self.goal.reference else {}
        losses = [trials[number].losses if trials[number].is_feasible else None for _, number in told if trials]
        return hypervolumes(losses, self.goal.worst_losses)

    def top(self, count: int) -> list[Trial]:
        """Return the ``count`` best feasible, distinct trials: the Pareto front first, then by the first objective."""
        front = self.best
        chosen = {trial.number for trial in front}
        return [*front, *(trial for trial in _distinct(self.trials) if trial.number not in chosen)][:count]

    def trial(self, number: int) -> Trial:
        """Return one trial; raises `UsageError` when there is none of that number."""
        return self.trial_record(number).trial(self.goal)

    def trial_record(self, number: int) -> TrialRecord:
        """Return one trial as stored; raises `UsageError` when there is none of that number."""
        records = {record.number: record for record in self.records}
        if number not in records:
            known = f"trials 0 to {len(records) - 1}, but no trial {number}" if records else "no trials"
            raise UsageError(f"study {self.name!r} has {known}")
        return records[number]

    def summary_json(self) -> dict[str, Any]:
        """Return the object that ``search --json`` prints."""
        record = self.record
        counts = self.store.counts(record.id)
        return {
            "study": self.name,
            "state": self.state.value,
            "trials": {name: counts[name] for name in ("completed", "failed", "rejected", "pruned", "duplicates")},
            "best": [_best_json(trial) for trial in self.best],
            "hypervolume": self.hypervolume,
            "elapsed_s": round(record.elapsed, 3),
            "storage": self.store.display_url,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``show --json`` prints."""
        record = self.record
        study = {
            "name": record.name,
            "uid": record.uid,
            "state": self.state.value,
            "reason": record.reason,
            "hypervolume": self.hypervolume,
            "definition": dict(record.definition),
            "budget": {"trials": record.trials_budget, "time": record.time_budget},
            "components": dict(record.components),
            "environment": dict(record.environment),
            "created": _iso(record.created),
            "elapsed_s": round(record.elapsed, 3),
            "storage": self.store.display_url,
        }
        return {"study": study, "trials": [trial_json(trial) for trial in self.records]}


def best_of(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """Return the best feasible trial, or with several objectives the Pareto front, sorted by the first objective.

    Of equal architectures the best result is kept, and of equal results the earliest.
    """
    feasible = [trial for trial in trials if trial.is_feasible and trial.duplicate_of is None]
    if not feasible:
        return []
    if len(goal.objectives) == 1:
        return [min(feasible, key=_order)]
    different = {
        (trial.key, trial.fidelity, trial.losses): trial for trial in sorted(feasible, key=_order, reverse=True)
    }
    kept = list(different.values())
    return sorted([kept[i] for i in pareto_front([trial.losses for trial in kept])], key=_order)


def _distinct(trials: Sequence[Trial]) -> list[Trial]:
    """Return the feasible trials, best first, each network once."""
    feasible = sorted((trial for trial in trials if trial.is_feasible and trial.duplicate_of is None), key=_order)
    first: dict[tuple[str, float | None], Trial] = {}
    for trial in feasible:
        first.setdefault((trial.key, trial.fidelity), trial)
    return list(first.values())


def _order(trial: Trial) -> tuple[tuple[float, ...], int]:
    return trial.rank, trial.number


def _best_json(trial: Trial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "architecture": trial.architecture.to_json(),
        "canonical_key": trial.key,
        "metrics": json_numbers(trial.metrics),
    }


def trial_json(record: TrialRecord) -> dict[str, Any]:
    """Return the object that ``show --json`` prints of one trial."""
    return {
        "number": record.number,
        "state": record.state,
        "architecture": dict(record.architecture),
        "key": record.cache_key,
        "canonical_key": record.canonical_key,
        "metrics": json_numbers(record.metrics),
        "seed": record.seed,
        "fidelity": record.fidelity,
        "attempts": record.attempts,
        "error": record.error,
        "error_kind": record.error_kind,
        "remarks": dict(record.remarks),
        "thresholds": {stage: dict(threshold) for stage, threshold in record.thresholds.items()},
        "told_order": record.told_order,
        "duplicate_of": record.duplicate_of,
        "is_cached": record.is_cached,
        "note": dict(record.note),
        "started": _iso(record.started),
        "finished": _iso(record.finished),
    }


def json_numbers(metrics: Any) -> dict[str, float | None]:
    """Return ``metrics`` for JSON people can parse anywhere: non-finite numbers become null."""
    return {name: value if value == value and abs(value) != float("inf") else None for name, value in metrics.items()}


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
