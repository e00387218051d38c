"""Ask and tell: a study whose trials are evaluated by the caller's own loop.

It is the engine's study in every respect: the same lease, the same order of commits, the same budget and answers from
the store, so that a study may be asked and told for a while and go on with `automl resume`. Only the executor differs:
here it hands jobs out, and results come back when the caller tells them.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from automl.architecture import Architecture
from automl.cascade import Job, OnReport, Outcome
from automl.engine import Stopper, Watchers
from automl.errors import StoreError, TaskError, UsageError
from automl.evaluator import Candidate
from automl.executor import Executor, Slots
from automl.recipe import Recipe
from automl.runner import Heartbeat, Prepared, engine_of, executor_of, ledger_of, slots_of
from automl.study import Study, StudyState
from automl.task import Task
from automl.told import Told, ToldState, told_outcome
from automl.trial import Trial

if TYPE_CHECKING:
    from torch import nn

_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class AskedTrial:
    """A trial to evaluate, as `Study.ask` hands it out.

    Attributes:
        number: its number in the study.
        architecture: what was proposed.
        seed: for its evaluation: by default the same in all trials, so that only architectures differ.
        fidelity: how thoroughly, where the strategy says so (epochs, as a rule); ``None`` is in full.
        note: what the strategy says about its proposal.
    """

    number: int
    architecture: Architecture
    seed: int
    fidelity: float | None
    note: Mapping[str, Any]
    _candidate: Candidate = field(repr=False, compare=False)
    _asking: weakref.ref[Asking] = field(repr=False, compare=False)

    @property
    def blueprint(self) -> Any:
        """The search space's own description of the architecture."""
        return self._candidate.blueprint

    @property
    def key(self) -> str:
        """The canonical key: equal for architectures that are the same network."""
        return self._candidate.key

    @property
    def title(self) -> str:
        """One line that tells a person what it is."""
        return self._candidate.space.title(self.blueprint)

    @property
    def task(self) -> Task:
        """The task of the study, its test split sealed."""
        return self._open().task

    def build(self, task: Task | None = None) -> nn.Module:
        """Return the network on the CPU, its weights drawn from `seed` alone; for the study's task by default.

        Raises:
            UsageError: the study has no task, and none was given.
        """
        try:
            return self._candidate.build(task or self.task, self.seed)
        except TaskError as error:
            if task is not None:
                raise
            raise UsageError(f"{error}; or say what the network takes, as build(automl.ShapedTask(...))") from error

    def evaluate(self) -> Outcome:
        """Evaluate it in this process, as the study's own evaluators do; for `Study.tell`.

        Raises:
            UsageError: the study has none.
        """
        return self._open().evaluate(self.number)

    def report(self, step: int, metrics: Mapping[str, float]) -> None:
        """Keep intermediate metrics, as after an epoch; they are stored with the result."""
        self._open().report(self.number, step, metrics)

    def _repr_html_(self) -> str:
        from automl.notebook import asked_html

        return asked_html(self)

    def _open(self) -> Asking:
        asking = self._asking()
        if asking is None or asking.is_closed:
            raise UsageError(f"trial {self.number} was asked for by a study that is closed; ask again")
        return asking


class _Hand(Executor):
    """Keeps the jobs for the caller; ``fresh`` are those not handed out yet."""

    def __init__(self) -> None:
        super().__init__()
        self.jobs: dict[int, Job] = {}
        self.fresh: list[Job] = []

    @property
    def isolates(self) -> bool:
        return False

    def start(self, recipe: Recipe, slots: Slots, on_report: OnReport, should_stop: Callable[[], bool]) -> None:
        """Nothing is started."""

    def submit(self, job: Job) -> None:
        self.jobs[job.number] = job
        self.fresh.append(job)

    def take(self, number: int) -> None:
        """Forget a job whose result is known."""
        job = self.jobs.pop(number)
        if job in self.fresh:
            self.fresh.remove(job)

    def collect(self, seconds: float) -> list[Outcome]:
        return []

    def stop(self) -> None:
        self.jobs.clear()


class Asking:
    """A study that is being asked and told: it holds the lease until `close`, or until the study has ended.

    Calls may come from several threads, one after the other.

    Raises:
        LeaseHeld: another engine, or another asker, works on the study.
    """

    def __init__(self, study: Study, prepared: Prepared) -> None:
        self._study, self._prepared, self._cascade = study, prepared, prepared.cascade
        self._slots = slots_of(prepared.recipe.definition.execution)
        self._lock = threading.RLock()
        lease = study.store.acquire(study.record.id)
        self._ledger = ledger_of(study, prepared, lease)
        self._watchers, self._stopper, self._hand = Watchers(prepared.trackers), Stopper(), _Hand()
        self._engine = engine_of(study, prepared, self._ledger, self._hand, self._slots, self._watchers, self._stopper)
        self._heart = Heartbeat(study.store, lease)
        self._heart.__enter__()
        self._drop = weakref.finalize(self, Heartbeat.abandon, self._heart)
        self._drop.atexit = False
        self.is_closed = False
        with self._failing():
            study.store.set_state(lease, StudyState.RUNNING)
            self._engine.begin()
            self._engine.capacity = len(self._ledger.unfinished())
            self._engine.advance()

    @property
    def task(self) -> Task:
        """The task."""
        return self._cascade.task

    def ask(self) -> AskedTrial | None:
        """Return the next trial to evaluate, ``None`` when the study is over; see `Study.ask`."""
        with self._lock, self._failing():
            if not self._hand.fresh:
                self._engine.capacity = len(self._hand.jobs) + 1
                self._engine.advance()
            if self._hand.fresh:
                return self._handed(self._hand.fresh.pop(0))
            if self._engine.is_over:
                self._end_if_over()
                return None
        waiting = ", ".join(map(str, self._hand.jobs))
        raise UsageError(f"nothing can be proposed before results are known: tell trial {waiting} first")

    def tell(self, trial: AskedTrial | int, result: object, state: ToldState | None, error: str | None) -> Trial:
        """Commit a result, have the strategy learn of it, and return the trial; see `Study.tell`."""
        number = trial if isinstance(trial, int) else trial.number
        with self._lock:
            job = self._job(number)
            if isinstance(trial, AskedTrial) and trial.architecture.to_json() != dict(job.architecture):
                raise UsageError(f"this trial {number} is of another study than {self._study.name!r}")
            outcome = told_outcome(self._cascade, job, result, state, error)
            with self._failing():
                self._hand.take(number)
                self._engine.finish(outcome)
                self._engine.capacity = len(self._hand.jobs)
                self._engine.advance()
                self._end_if_over()
        return self._study.trial(number)

    def evaluate(self, number: int) -> Outcome:
        """Run the study's own evaluators on an asked trial."""
        if any(isinstance(stage.evaluator, Told) for stage in self._cascade.stages):
            raise UsageError(f"study {self._study.name!r} has no evaluator; tell metrics of your own")
        executor = executor_of(self._prepared.definition.execution)
        try:
            executor.start(self._prepared.recipe, self._slots, self.report, lambda: False)
            executor.submit(self._job(number))
            while not (outcomes := executor.collect(_POLL_SECONDS)):
                pass
        finally:
            executor.stop()
        return outcomes[0]

    def report(self, number: int, step: int, metrics: Mapping[str, float]) -> None:
        """Take an intermediate report."""
        with self._lock:
            self._job(number)
            self._engine.report(number, step, {name: float(value) for name, value in metrics.items()})

    def close(self) -> None:
        """Give the study back. What was asked and not told is asked again when somebody goes on."""
        with self._lock:
            if not self.is_closed:
                self._stopper.request()
                self._end(*self._engine.verdict())

    def _job(self, number: int) -> Job:
        if number not in self._hand.jobs:
            known = ", ".join(map(str, self._hand.jobs)) or "none"
            raise UsageError(f"trial {number} is not waiting for a result (waiting: {known}); was it told already?")
        return self._hand.jobs[number]

    def _handed(self, job: Job) -> AskedTrial:
        pending = self._ledger.trial(job.number)
        assert pending is not None
        architecture = self._study.with_space(pending.architecture)
        candidate = Candidate(self._cascade.space, architecture)
        return AskedTrial(job.number, architecture, job.seed, job.fidelity, pending.note, candidate, weakref.ref(self))

    def _end_if_over(self) -> None:
        if self._engine.is_over and not self._hand.jobs:
            self._end(*self._engine.verdict())

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Leave a store that says what happened, whatever is raised inside."""
        try:
            yield
        except StoreError as error:
            with contextlib.suppress(StoreError):
                self._end(StudyState.INTERRUPTED, str(error))
            raise
        except BaseException as error:
            is_stop = not isinstance(error, Exception)
            self._end(*((StudyState.INTERRUPTED, "stopped") if is_stop else (StudyState.FAILED, str(error))))
            raise

    def _end(self, state: StudyState, reason: str) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._drop.detach()
        self._heart.__exit__()
        self._ledger.close(state, reason)
        self._watchers.each(lambda tracker: tracker.study_finished(state, self._ledger.progress()))
