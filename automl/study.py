"""A study as people read it: its definition, state, trials and best architectures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.architecture import Architecture
from automl.definition import StudyDefinition
from automl.errors import UsageError
from automl.hypervolume import hypervolume, hypervolumes
from automl.objectives import Goal, pareto_front
from automl.storage.records import StudyRecord, TrialRecord
from automl.storage.store import Store
from automl.trial import Trial

if TYPE_CHECKING:
    import pandas

    from automl.asking import AskedTrial, Asking
    from automl.told import ToldState


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
    """A study in a store.

    `automl.search` and `automl.resume` run one; `ask` and `tell` are for a loop of one's own. All else only reads.
    """

    store: Store
    name: str

    def ask(self) -> AskedTrial | None:
        """Return the next trial to evaluate, ``None`` when the study is over.

        The first call takes the study: nobody else may work on it until `close`, until it is over, or until this
        process ends. Several trials may be asked for before the first is told. What the store can answer is not asked,
        and what was asked and never told is asked again by whoever goes on.

        Raises:
            LeaseHeld: somebody else works on the study.
            UsageError: the strategy proposes nothing before pending trials are told.
            AutomlError: as `automl.resume`.
        """
        return self._asking().ask()

    def tell(
        self,
        trial: AskedTrial | int,
        result: object = None,
        *,
        state: ToldState | None = None,
        error: str | None = None,
    ) -> Trial:
        """Commit the result of an asked trial, have the strategy learn of it, and return the trial as it is stored.

        Args:
            trial: what `ask` returned, or its number.
            result: metrics by name, the value of the only objective, or what `AskedTrial.evaluate` returned.
            state: ``failed``, ``pruned`` or ``rejected``; by default ``completed``, but ``rejected`` where a constraint
                is violated, and ``failed`` where an objective is missing or no finite number.
            error: why it failed, was pruned or rejected; one line.

        Raises:
            UsageError: the trial is not waiting for a result, or the result cannot be read; nothing has changed.
            LeaseHeld: somebody else works on the study.
        """
        return self._asking().tell(trial, result, state, error)

    def close(self) -> None:
        """Give a study that was asked back, so that others may go on with it; nothing happens to another one."""
        asking: Asking | None = self.__dict__.pop("_asked", None)
        if asking is not None:
            asking.close()

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _asking(self) -> Asking:
        asking: Asking | None = self.__dict__.get("_asked")
        if asking is None or asking.is_closed:
            from automl.own_loop import ask_and_tell

            asking = self.__dict__["_asked"] = ask_and_tell(self)
        return asking

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
        return [self._trial(record) for record in self.records]

    @property
    def best(self) -> list[Trial]:
        """The best feasible trial, or the Pareto front sorted by the first objective; without repeats."""
        return best_of(self.trials, self.goal)

    @property
    def best_trials(self) -> list[Trial]:
        """The same as `best`."""
        return self.best

    @property
    def best_trial(self) -> Trial:
        """The best feasible trial; with several objectives the one of the Pareto front that is best by the first.

        Raises:
            UsageError: no trial is feasible.
        """
        best = self.best
        if not best:
            raise UsageError(f"study {self.name!r} has no completed trial within its constraints yet")
        return best[0]

    def trials_dataframe(self, *, decisions: bool = False) -> pandas.DataFrame:
        """Return all trials as a pandas table, a row for each, its number as the index.

        Args:
            decisions: have a column for each decision of the architectures, too: ``decision.NAME``.

        Raises:
            ConfigurationError: pandas is not installed.
        """
        from automl.frame import trials_dataframe

        return trials_dataframe(self, decisions=decisions)

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
        return top_of(self.trials, self.goal, count)

    def trial(self, number: int) -> Trial:
        """Return one trial; raises `UsageError` when there is none of that number."""
        return self._trial(self.trial_record(number))

    def trial_record(self, number: int) -> TrialRecord:
        """Return one trial as stored; raises `UsageError` when there is none of that number."""
        records = {record.number: record for record in self.records}
        if number not in records:
            known = f"trials 0 to {len(records) - 1}, but no trial {number}" if records else "no trials"
            raise UsageError(f"study {self.name!r} has {known}")
        return records[number]

    def with_space(self, architecture: Architecture) -> Architecture:
        """Return the architecture, knowing the space of this study, so that notebooks can draw it."""
        return replace(architecture, space=self.definition.space)

    def _trial(self, record: TrialRecord) -> Trial:
        trial = record.trial(self.goal)
        return replace(trial, architecture=self.with_space(trial.architecture))

    def _repr_html_(self) -> str:
        from automl.notebook import study_html

        return study_html(self)

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


def top_of(trials: Sequence[Trial], goal: Goal, count: int) -> list[Trial]:
    """Return the ``count`` best feasible, distinct trials: the Pareto front first, then by the first objective."""
    front = best_of(trials, goal)
    chosen = {trial.number for trial in front}
    return [*front, *(trial for trial in _distinct(trials) if trial.number not in chosen)][:count]


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
