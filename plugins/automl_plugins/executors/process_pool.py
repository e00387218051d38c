"""Executor ``process_pool``: worker processes, one per slot, each with its device.

Processes are spawned, so a worker inherits no state. Each slot is a pool of one (pebble), so that a candidate which
crashes, hangs or eats memory takes its own worker along and nothing else; pebble replaces the worker. Workers end when
the engine does, however it ends. A script that calls `automl.search` with several workers needs the usual
``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import tempfile
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import Path

import pebble
import psutil

from automl import Executor, Job, OnReport, Outcome, Recipe, Slots
from automl_plugins.executors._worker import Setting, evaluate, initialise, pid_file, report_file

_LOOK_SECONDS = 0.2
_KILL_AFTER = 2.0


@dataclass(slots=True)
class _Slot:
    number: int
    pool: pebble.ProcessPool
    job: Job | None = None
    read: int = 0
    is_over_memory: bool = False


class ProcessPool(Executor):
    """Run evaluations in worker processes that may die alone."""

    _slots: Slots
    _on_report: OnReport

    @property
    def isolates(self) -> bool:
        """Every candidate is isolated."""
        return True

    def start(self, recipe: Recipe, slots: Slots, on_report: OnReport, should_stop: Callable[[], bool]) -> None:
        """Make one pool per slot; its worker is spawned with the first job."""
        self._slots = slots
        self._on_report = on_report
        self._scratch = tempfile.TemporaryDirectory(prefix="automl-")
        self._folder = Path(self._scratch.name)
        context = multiprocessing.get_context("spawn")
        self._workers: list[_Slot] = []
        self._futures: dict[Future[Outcome], _Slot] = {}
        for number, device in enumerate(slots.devices):
            setting = Setting(recipe, device, slots.threads, slots.memory_limit, self._folder, number, os.getpid())
            pool = pebble.ProcessPool(max_workers=1, initializer=initialise, initargs=(setting,), context=context)
            self._workers.append(_Slot(number, pool))

    def submit(self, job: Job) -> None:
        """Hand a job to a free slot."""
        slot = next(slot for slot in self._workers if slot.job is None)
        slot.job, slot.read, slot.is_over_memory = job, 0, False
        timeout = None if self._slots.timeout is None else self._slots.timeout + _KILL_AFTER
        self._futures[slot.pool.schedule(evaluate, args=(job,), timeout=timeout)] = slot

    def collect(self, seconds: float) -> list[Outcome]:
        """Wait for results; meanwhile pass on reports and watch the workers' memory."""
        if not self._futures:
            return []
        done, _ = wait(self._futures, timeout=min(seconds, _LOOK_SECONDS), return_when=FIRST_COMPLETED)
        for slot in self._futures.values():
            self._pass_on_reports(slot)
            self._watch_memory(slot)
        return [self._outcome(future, self._futures.pop(future)) for future in list(done)]

    def stop(self) -> None:
        """Kill the workers and clean up."""
        for slot in getattr(self, "_workers", ()):
            slot.pool.stop()
        for slot in getattr(self, "_workers", ()):
            slot.pool.join()
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()

    def _outcome(self, future: Future[Outcome], slot: _Slot) -> Outcome:
        job = slot.job
        assert job is not None
        slot.job = None
        report_file(self._folder, job.number).unlink(missing_ok=True)
        error = future.exception()
        if error is None:
            return future.result()
        if isinstance(error, FutureTimeout):
            limit = self._slots.timeout or 0.0
            return Outcome.failed(job.number, "timeout", f"the trial took longer than its timeout of {limit:g} s")
        if isinstance(error, pebble.ProcessExpired):
            return self._death(job.number, slot, error.exitcode)
        return Outcome.failed(job.number, "raised", f"{type(error).__name__}: {' '.join(str(error).split())}")

    def _death(self, number: int, slot: _Slot, exitcode: int | None) -> Outcome:
        if slot.is_over_memory:
            limit = self._slots.memory_limit or 0.0
            return Outcome.failed(number, "memory", f"the worker used more than its memory limit of {limit:g} MiB")
        if exitcode is None or exitcode >= 0:
            return Outcome.failed(number, "exited", f"the candidate ended its worker process with exit code {exitcode}")
        name = signal.Signals(-exitcode).name
        hint = ", most often by the system for lack of memory" if -exitcode == signal.SIGKILL else ""
        return Outcome.failed(number, "crashed", f"the worker process was killed by {name}{hint}")

    def _pass_on_reports(self, slot: _Slot) -> None:
        assert slot.job is not None
        path = report_file(self._folder, slot.job.number)
        if not path.exists():
            return
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        for line in lines[slot.read :]:
            step, metrics = json.loads(line)
            self._on_report(slot.job.number, step, metrics)
        slot.read = len(lines)

    def _watch_memory(self, slot: _Slot) -> None:
        path = pid_file(self._folder, slot.number)
        if self._slots.memory_limit is None or not path.exists():
            return
        try:
            process = psutil.Process(int(path.read_text()))
            if process.memory_info().rss > self._slots.memory_limit * 2**20:
                slot.is_over_memory = True
                process.kill()
        except (psutil.Error, ValueError):
            return
