"""Executor ``in_process``: one evaluation at a time, in the engine's own process.

It starts at once and shares the loaded data. It isolates nothing: a candidate that hangs is stopped only at its next
``context.check()`` or report, and one that crashes the process takes the engine along. The study survives even that: it
is resumed from the store, and the candidate is given up after ``max_attempts``. Memory limits need ``process_pool``.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable

from automl import Cascade, ConfigurationError, Executor, Job, OnReport, Outcome, Recipe, Slots

_VARIABLES = ("OMP_NUM_THREADS", "MKL_DYNAMIC")


class InProcess(Executor):
    """Run evaluations in this process, one after the other."""

    _cascade: Cascade
    _slots: Slots
    _on_report: OnReport
    _should_stop: Callable[[], bool]

    @property
    def isolates(self) -> bool:
        """Nothing is isolated."""
        return False

    def check(self, slots: Slots) -> None:
        """Refuse what needs worker processes."""
        if len(slots.devices) > 1:
            raise ConfigurationError(
                f"executor 'in_process' runs one evaluation at a time, but {len(slots.devices)} workers were "
                "asked for; use --set execution.executor=process_pool or --workers 1"
            )
        if slots.memory_limit is not None:
            raise ConfigurationError("executor 'in_process' cannot limit memory; use process_pool, or drop the limit")

    def start(self, recipe: Recipe, slots: Slots, on_report: OnReport, should_stop: Callable[[], bool]) -> None:
        """Take the recipe's cascade."""
        self._is_torch_to_come = "torch" not in sys.modules
        self._environment_before = {name: os.environ.get(name) for name in _VARIABLES}
        if self._is_torch_to_come:
            # The trial that imports torch is to have as many threads as the later ones. A dynamic MKL would cap them at
            # the physical cores, which `torch.set_num_threads` switches off.
            os.environ.update(zip(_VARIABLES, (str(slots.threads), "FALSE"), strict=True))
        self._cascade = recipe.cascade()
        self._slots = slots
        self._on_report = on_report
        self._should_stop = should_stop
        self._jobs: deque[Job] = deque()
        self._threads_before: int | None = None

    def submit(self, job: Job) -> None:
        """Queue a job; it runs in `collect`."""
        self._jobs.append(job)

    def collect(self, seconds: float) -> list[Outcome]:
        """Run the next job to its end."""
        if not self._jobs:
            return []
        self._limit_threads()
        return [self._cascade.run(self._jobs.popleft(), self._slots.devices[0], self._on_report, self._should_stop)]

    def stop(self) -> None:
        """Restore torch's thread count and the environment."""
        if getattr(self, "_is_torch_to_come", False):
            for name, value in self._environment_before.items():
                os.environ.pop(name, None)
                if value is not None:
                    os.environ[name] = value
        torch = sys.modules.get("torch")
        if torch is not None and getattr(self, "_threads_before", None) is not None:
            torch.set_num_threads(self._threads_before)

    def _limit_threads(self) -> None:
        torch = sys.modules.get("torch")
        if torch is None or self._threads_before is not None:
            return
        self._threads_before = torch.get_num_threads()
        torch.set_num_threads(self._slots.threads)
