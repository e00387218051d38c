"""The ledger: trials between proposal and tell, their commits, and the running totals.

It owns the order of things. In a deterministic study a finished trial is committed at once, but gets its place in the
told order only when everything proposed before it has been told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from automl.cascade import Outcome
from automl.objectives import Goal
from automl.storage.records import Answer, StudyRecord, TrialRecord
from automl.storage.store import Lease, Store
from automl.study import best_of
from automl.tracker import Progress
from automl.trial import Trial, TrialState

TIMELESS = 1_000

Reports = Mapping[int, Mapping[str, float]]


class Ledger:
    """Books of one running study; the engine's only way to the store."""

    def __init__(
        self,
        store: Store,
        lease: Lease,
        study: StudyRecord,
        goal: Goal,
        *,
        is_ordered: bool,
        count_duplicates: bool,
        simulated_time: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store, self._lease, self._study, self._goal = store, lease, study, goal
        self._is_ordered, self._count_duplicates = is_ordered, count_duplicates
        self._simulated_time, self._simulated, self._timeless = simulated_time, study.elapsed, 0
        self._clock = clock
        self._began = clock()
        self._strategy_seconds = 0.0
        self._booked = self._began if simulated_time is None else study.elapsed
        self._open: dict[int, TrialRecord] = {}
        self._ready: dict[int, None] = {}
        self._waiting: dict[int, list[int]] = {}
        self._revision = self._finished = 0
        self._counts = dict.fromkeys(("completed", "failed", "rejected", "pruned", "duplicates"), 0)
        self._best: list[Trial] = []
        self.asked = self.told = self.counted = self.repeats = 0

    @property
    def pending(self) -> tuple[Trial, ...]:
        """Trials asked and not told, in order of number; what is known of their results already is not shown."""
        running = TrialState.RUNNING
        return tuple(
            replace(record, state=running, metrics={}, error=None, remarks={}).trial(self._goal)
            for record in self._open.values()
        )

    @property
    def open_count(self) -> int:
        """Number of trials asked and not told."""
        return len(self._open)

    def trial(self, number: int) -> Trial | None:
        """Return a pending trial."""
        record = self._open.get(number)
        return record.trial(self._goal) if record else None

    def elapsed(self) -> float:
        """Return the seconds spent: simulated by an evaluator, or else worked on the study, over all its engines."""
        if self._simulated_time is not None:
            return self._simulated
        return self._study.elapsed + self._clock() - self._began

    def has_budget(self) -> bool:
        """Say whether another trial may be asked for."""
        trials, seconds = self._study.trials_budget, self._study.time_budget
        return (trials is None or self.counted < trials) and (seconds is None or self.elapsed() < seconds)

    @property
    def is_stuck(self) -> bool:
        """Whether simulated time alone would end the study and has long stood still, as when every trial fails."""
        return self._study.trials_budget is None and self._timeless >= TIMELESS

    def progress(self) -> Progress:
        """Return where the study stands."""
        return Progress(
            trials=self._finished,
            trials_budget=self._study.trials_budget,
            elapsed=self.elapsed(),
            time_budget=self._study.time_budget,
            counts=dict(self._counts),
            best=tuple(self._best),
        )

    def restore(self) -> Iterator[Trial]:
        """Yield the told trials in the told order; afterwards the open ones are on the books too."""
        self._simulated = 0.0
        for record in self._store.told(self._study.id):
            self._count(record)
            yield self._learnt(record)
        self._strategy_seconds = 0.0  # learning it all again is no new cost
        for record in self._store.untold(self._study.id):
            self._count(record)
            self._enter(record)
        last = self._store.last_original(self._study.id)
        self.repeats = self.asked - 1 - last

    def unfinished(self) -> list[TrialRecord]:
        """Return the open trials whose evaluation must be run (again)."""
        running = TrialState.RUNNING
        return [record for record in self._open.values() if record.state == running and record.duplicate_of is None]

    def restart(self, record: TrialRecord) -> TrialRecord:
        """Commit another attempt at an unfinished trial."""
        return self._change(record.number, attempts=record.attempts + 1, started=time.time())

    def answer(self, record: TrialRecord, *, accepts: Callable[[Answer], bool] = lambda answer: True) -> TrialRecord:
        """Return ``record`` with the result of an earlier equal evaluation, where the store has one.

        The result of another study answers only if it has every objective of this one, and ``accepts`` says so.
        """
        source = self._store.answer(self._study.id, record.cache_key)
        if source is None or not (source.is_own or accepts(source)):
            return record
        is_completed = source.state == TrialState.COMPLETED
        if not source.is_own and is_completed and float("inf") in self._goal.losses(source.metrics):
            return record
        if source.is_own:
            first = source.number if source.duplicate_of is None else source.duplicate_of
            record = replace(record, duplicate_of=first, thresholds={})
        if source.state == TrialState.RUNNING:
            return record
        return replace(
            record,
            is_cached=not source.is_own,
            state=source.state,
            metrics=source.metrics,
            error=source.error,
            error_kind=source.error_kind,
            remarks=source.remarks,
            attempts=0,
            finished=time.time(),
        )

    def add(self, record: TrialRecord) -> Trial:
        """Commit a new trial, running or answered, and return it."""
        record = replace(record, revision=self._next_revision())
        if record.state != TrialState.RUNNING and not self._is_ordered:
            record = replace(record, told_order=self.told + len(self._ready))
        self._store.add_trial(self._lease, record)
        self._count(record)
        self.repeats = 0 if record.duplicate_of is None else self.repeats + 1
        self._enter(record)
        return record.trial(self._goal)

    def finish(self, outcome: Outcome, reports: Reports) -> None:
        """Commit a result, for the trial and for the repeats that wait for it."""
        values: dict[str, Any] = {
            "state": outcome.state.value,
            "metrics": dict(outcome.metrics),
            "error": outcome.error,
            "error_kind": outcome.kind,
            "details": outcome.details,
            "remarks": dict(outcome.remarks),
            "finished": time.time(),
        }
        place = self.told + len(self._ready)
        changes: list[tuple[int, Mapping[str, Any]]] = []
        for number in (outcome.number, *self._waiting.pop(outcome.number, ())):
            changed = {**values, "revision": self._next_revision()}
            if not self._is_ordered:
                changed["told_order"] = place + len(changes)
            changes.append((number, changed))
        rows = [(outcome.number, step, metrics) for step, metrics in reports.items()]
        self._store.change_trials(self._lease, changes, reports=rows, elapsed=self._book_time())
        for number, found in changes:
            self._open[number] = replace(self._open[number], **found)
            self._ready[number] = None

    def next_to_tell(self) -> Trial | None:
        """Close and return the next finished trial in the told order, its place committed; ``None`` without one."""
        if not self._ready:
            return None
        number = next(iter(self._open)) if self._is_ordered else next(iter(self._ready))
        if number not in self._ready:
            return None
        if self._open[number].told_order is None:
            self._change(number, told_order=self.told)
        del self._ready[number]
        return self._learnt(self._open.pop(number))

    @contextmanager
    def timing_strategy(self) -> Iterator[None]:
        """Book what runs inside as the strategy's own time."""
        began = self._clock()
        yield
        self._strategy_seconds += self._clock() - began

    def give_back(self) -> None:
        """Book what running trials lose by an interruption on purpose: nothing; the attempt does not count."""
        for record in self.unfinished():
            if record.attempts > 0:
                self._change(record.number, attempts=record.attempts - 1)

    def close(self, state: str, reason: str | None) -> None:
        """Commit the final state and the time spent, and release the lease."""
        self._store.set_state(self._lease, state, reason)
        self._store.add_ask_seconds(self._lease, self._strategy_seconds)
        self._store.release(self._lease, self._book_time())

    def _enter(self, record: TrialRecord) -> None:
        self._open[record.number] = record
        if record.state != TrialState.RUNNING:
            self._ready[record.number] = None
        elif record.duplicate_of is not None:
            self._waiting.setdefault(record.duplicate_of, []).append(record.number)

    def _change(self, number: int, **values: Any) -> TrialRecord:
        changed = {**values, "revision": self._next_revision()}
        self._store.change_trials(self._lease, [(number, changed)], elapsed=self._book_time())
        self._open[number] = replace(self._open[number], **changed)
        return self._open[number]

    def _count(self, record: TrialRecord) -> None:
        self.asked = max(self.asked, record.number + 1)
        self._revision = max(self._revision, record.revision + 1)
        self.counted += 1 if record.duplicate_of is None or self._count_duplicates else 0

    def _learnt(self, record: TrialRecord) -> Trial:
        trial = record.trial(self._goal)
        self.told += 1
        self._finished += 1 if record.duplicate_of is None or self._count_duplicates else 0
        if record.duplicate_of is None:
            self._counts[record.state] += 1
        if record.duplicate_of is not None or record.is_cached:
            self._counts["duplicates"] += 1
        self._simulate(record)
        if trial.is_feasible:
            self._best = best_of([*self._best, trial], self._goal)
        return trial

    def _simulate(self, record: TrialRecord) -> None:
        """Book the time that a told trial would have taken, and count those in a row that say none."""
        if self._simulated_time is None or (record.duplicate_of is not None and not self._count_duplicates):
            return
        seconds = record.metrics.get(self._simulated_time, 0.0)
        self._timeless = 0 if seconds > 0 else self._timeless + 1
        self._simulated += max(seconds, 0.0)

    def _next_revision(self) -> int:
        self._revision += 1
        return self._revision

    def _book_time(self) -> float:
        """Return the seconds, of the kind that the budget counts, since this was last called."""
        now = self._clock() if self._simulated_time is None else self._simulated
        spent, self._booked = now - self._booked, now
        return spent
