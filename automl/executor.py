"""Contract 5: the executor, where evaluations run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from automl.cascade import Job, OnReport, Outcome
from automl.options import Component
from automl.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Slots:
    """What an executor may use: one evaluation at a time per entry of ``devices``.

    Attributes:
        devices: torch device of each worker, as ``("cuda:0", "cuda:1")`` or ``("cpu", "cpu")``.
        threads: CPU threads of each worker.
        timeout: seconds an evaluation may take; ``None`` is no limit.
        memory_limit: MiB of main memory a worker may use; ``None`` is no limit.
    """

    devices: tuple[str, ...]
    threads: int
    timeout: float | None = None
    memory_limit: float | None = None


class Executor(Component, ABC):
    """Runs jobs. Used by one engine, from one thread.

    Contract: every submitted job gives exactly one outcome, unless `stop` was called first. A job that raises, hangs
    past its timeout, or takes its process with it gives a failed outcome that says so, and takes nothing else along.
    """

    kind: ClassVar[str] = "executor"

    @property
    @abstractmethod
    def isolates(self) -> bool:
        """Whether a candidate that crashes, hangs or leaks cannot harm the engine."""

    def check(self, slots: Slots) -> None:
        """Raise `ConfigurationError` when this executor cannot give what ``slots`` asks for; called first."""

    @abstractmethod
    def start(self, recipe: Recipe, slots: Slots, on_report: OnReport, should_stop: Callable[[], bool]) -> None:
        """Get ready.

        Args:
            recipe: how to build the cascade in a worker.
            slots: what may be used.
            on_report: called from `collect` with (trial number, step, metrics) for intermediate reports.
            should_stop: when it says yes, evaluations in this process give up at their next check.
        """

    @abstractmethod
    def submit(self, job: Job) -> None:
        """Accept a job; the engine submits at most as many as there are slots."""

    @abstractmethod
    def collect(self, seconds: float) -> list[Outcome]:
        """Wait up to ``seconds`` for something to finish and return what has; may return nothing."""

    @abstractmethod
    def stop(self) -> None:
        """Stop at once: running jobs are killed and give no outcome. Called once, always."""
