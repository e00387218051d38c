"""Conformance of executors."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from automl.cascade import Job, Outcome
from automl.definition import ComponentSpec, parse_definition
from automl.executor import Executor, Slots
from automl.recipe import Recipe
from automl.testing.problems import BEHAVIOURS, HOME
from automl.trial import TrialState

_PATIENCE = 120.0
_EXPECTED: Mapping[str, tuple[TrialState, str | None]] = {
    "fine": (TrialState.COMPLETED, None),
    "raise": (TrialState.FAILED, "raised"),
    "nan": (TrialState.FAILED, "not_finite"),
    "text": (TrialState.FAILED, "raised"),
    "prune": (TrialState.PRUNED, "pruned"),
    "sysexit": (TrialState.FAILED, "exited"),
    "exit": (TrialState.FAILED, "exited"),
    "segfault": (TrialState.FAILED, "crashed"),
    "kill": (TrialState.FAILED, "crashed"),
    "hang": (TrialState.FAILED, "timeout"),
    "memory": (TrialState.FAILED, "memory"),
}
_GENTLE = ("fine", "raise", "nan", "text", "prune", "sysexit")


@dataclass
class Bench:
    """A started executor and what it said."""

    executor: Executor
    capacity: int
    reports: list[tuple[int, int, Mapping[str, float]]] = field(default_factory=list)

    def run(self, jobs: list[Job]) -> dict[int, Outcome]:
        """Submit as slots become free, collect until every job has an outcome, and return them by number."""
        waiting, running, outcomes = list(jobs), set[int](), dict[int, Outcome]()
        deadline = time.monotonic() + _PATIENCE
        while waiting or running:
            while waiting and len(running) < self.capacity:
                job = waiting.pop(0)
                running.add(job.number)
                self.executor.submit(job)
            for outcome in self.executor.collect(0.25):
                assert outcome.number in running, f"an outcome for {outcome.number}, which does not run"
                running.discard(outcome.number)
                outcomes[outcome.number] = outcome
            assert time.monotonic() < deadline, f"no outcome for {sorted(running)} in {_PATIENCE:g} s"
        return outcomes


class ExecutorSuite:
    """What every executor must do. A subclass says how to make one; the executor is started once for all tests."""

    workers = 2
    """Slots, if the executor can have several."""
    behaviours: tuple[str, ...] = BEHAVIOURS
    """What candidates do to an executor that isolates; one that does not meets only what it can survive."""
    timeout = 3.0
    """Seconds an evaluation may take."""
    memory_limit = 600.0
    """MiB a worker may use."""
    bench: ClassVar[Bench]

    @classmethod
    def make(cls) -> Executor:
        """Return the executor. A class method, since one instance serves all tests."""
        raise NotImplementedError(f"{cls.__name__} must say what it certifies: see the docstring of this method")

    @classmethod
    def setup_class(cls) -> None:
        """Start the executor."""
        executor = cls.make()
        capacity = cls.workers if executor.isolates else 1
        slots = Slots(("cpu",) * capacity, 1, cls.timeout, cls.memory_limit if executor.isolates else None)
        cls.bench = bench = Bench(executor, capacity)
        executor.check(slots)
        executor.start(_recipe(cls.timeout), slots, lambda *report: bench.reports.append(report), lambda: False)

    @classmethod
    def teardown_class(cls) -> None:
        """Stop it."""
        cls.bench.executor.stop()

    def test_every_job_has_the_outcome_it_deserves(self) -> None:
        """A candidate that raises, dies or hangs is named for what it did, and takes nothing else along."""
        wanted = self.behaviours if self.bench.executor.isolates else [how for how in self.behaviours if how in _GENTLE]
        order = [how for bad in wanted for how in ((bad,) if bad == "fine" else (bad, "fine"))]
        outcomes = self.bench.run([_job(number, how) for number, how in enumerate(order)])
        assert sorted(outcomes) == list(range(len(order)))
        for number, how in enumerate(order):
            outcome = outcomes[number]
            assert (outcome.state, outcome.kind) == _EXPECTED[how], f"{how}: {outcome}"
            if how == "fine":
                assert outcome.metrics == {"score": 0.5}
            if outcome.state is TrialState.FAILED:
                assert outcome.error
                assert "\n" not in outcome.error

    def test_reports_arrive_before_the_outcome(self) -> None:
        """With the trial's number, the step and the metrics, once each; by number, not by worker."""
        self.bench.reports.clear()
        self.bench.run([_job(number, "fine") for number in range(100, 104)])
        assert sorted(self.bench.reports, key=lambda report: report[0]) == [
            (number, 0, {"score": 0.25}) for number in range(100, 104)
        ]

    def test_seeds_and_order_do_not_depend_on_the_worker(self) -> None:
        """Equal jobs have equal outcomes."""
        outcomes = self.bench.run([_job(number, "fine") for number in range(200, 206)])
        assert len({(outcome.state, *outcome.metrics.items()) for outcome in outcomes.values()}) == 1
        assert all(math.isfinite(outcome.metrics["score"]) for outcome in outcomes.values())

    def test_collecting_nothing_returns_nothing(self) -> None:
        """And at once, or nearly."""
        start = time.monotonic()
        assert self.bench.executor.collect(0.2) == []
        assert time.monotonic() - start < 5

    def test_it_can_be_stopped_without_having_started(self) -> None:
        """As the engine does when a start fails."""
        self.make().stop()


def _recipe(timeout: float) -> Recipe:
    definition = parse_definition(
        {
            "space": f"{HOME}:BehaviourSpace",
            "task": f"{HOME}:TinyTask",
            "evaluators": [f"{HOME}:Behave"],
            "trackers": [],
            "execution": {"timeout": timeout},
        }
    )
    kinds: list[tuple[str, ComponentSpec]] = [("space", definition.space), ("task", definition.task)]
    kinds += [("evaluator", spec) for spec in definition.evaluators]
    return Recipe(definition, {f"{kind} {spec.name}": spec.name for kind, spec in kinds})


def _job(number: int, behaviour: str) -> Job:
    return Job(number, {"behaviour": behaviour}, seed=number)
