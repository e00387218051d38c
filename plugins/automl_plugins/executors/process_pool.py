"""Executor ``process_pool``: worker processes, one per slot, each with its device.

Processes are spawned, so a worker inherits no state. Each slot is a pool of one (pebble), so that a candidate which
crashes, hangs or eats memory takes its own worker along and nothing else; pebble replaces the worker. A worker that
dies while it starts breaks its pool for good; then the slot gets a new pool and the job runs again there. Workers end
when the engine does, however it ends. A script that calls `automl.search` with several workers needs the usual
``if __name__ == "__main__":`` guard.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import pebble
import psutil

from automl import AutomlError, Executor, Job, OnReport, Outcome, Recipe, Slots
from automl_plugins.executors._worker import Setting, claim_file, evaluate, initialise, pid_file, report_file

_LOOK_SECONDS = 0.2
_KILL_AFTER = 2.0
_ATTEMPTS = 3
_SAME_START_SECONDS = 2.0
_GONE_SECONDS = 1.0


@dataclass(slots=True)
class _Slot:
    number: int
    pool: pebble.ProcessPool
    job: Job | None = None
    attempts: int = 0
    read: int = 0
    is_over_memory: bool = False
    gone_since: float | None = None


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
        self._recipe = recipe
        self._slots = slots
        self._on_report = on_report
        self._scratch = tempfile.TemporaryDirectory(prefix="automl-")
        self._folder = Path(self._scratch.name)
        self._workers = [_Slot(number, self._new_pool(number)) for number in range(len(slots.devices))]
        self._futures: dict[Future[Outcome], _Slot] = {}

    def submit(self, job: Job) -> None:
        """Hand a job to a free slot."""
        slot = next(slot for slot in self._workers if slot.job is None)
        slot.job, slot.attempts = job, 0
        self._schedule(slot)

    def collect(self, seconds: float) -> list[Outcome]:
        """Wait for results; meanwhile pass on reports and watch the workers' memory.

        Raises:
            AutomlError: a worker could not be set up, or an evaluation raised what is no candidate's fault.
        """
        if not self._futures:
            return []
        done, _ = wait(self._futures, timeout=min(seconds, _LOOK_SECONDS), return_when=FIRST_COMPLETED)
        outcomes: list[Outcome] = []
        errors: list[AutomlError] = []
        for future, slot in list(self._futures.items()):
            self._pass_on_reports(slot)
            self._watch_memory(slot)
            if future in done:
                error = future.exception()
            elif self._is_gone(slot):
                outcomes.append(self._abandon(future, slot))
                continue
            elif not slot.pool.active:  # it broke before it had taken the job over, so the future would never end
                error = BrokenProcessPool()
            else:
                continue
            if isinstance(error, AutomlError):
                errors.append(error)  # its future stays: results come first, and the next call raises this
            elif isinstance(error, BrokenProcessPool):
                outcomes += self._try_again(future, slot, error)
            else:
                outcomes.append(self._outcome(future, slot, error))
        if errors and not outcomes:
            raise errors[0]
        return outcomes

    def stop(self) -> None:
        """Kill the workers and clean up."""
        for slot in getattr(self, "_workers", ()):
            slot.pool.stop()
        for slot in getattr(self, "_workers", ()):
            slot.pool.join()
        if hasattr(self, "_scratch"):
            self._scratch.cleanup()

    def _new_pool(self, number: int) -> pebble.ProcessPool:
        slots = self._slots
        setting = Setting(
            self._recipe, slots.devices[number], slots.threads, slots.memory_limit, self._folder, number, os.getpid()
        )
        context = multiprocessing.get_context("spawn")
        return pebble.ProcessPool(max_workers=1, initializer=initialise, initargs=(setting,), context=context)

    def _schedule(self, slot: _Slot) -> None:
        """Hand the slot's job to its pool; that the pool is broken is left for `collect` to find in the future."""
        slot.attempts, slot.read, slot.is_over_memory = slot.attempts + 1, 0, False
        slot.gone_since = None
        timeout = None if self._slots.timeout is None else self._slots.timeout + _KILL_AFTER
        try:
            future: Future[Outcome] = slot.pool.schedule(evaluate, args=(slot.job,), timeout=timeout)
        except RuntimeError as error:
            if not isinstance(error, BrokenProcessPool) and slot.pool.active:
                raise
            future = Future()
            future.set_exception(error if isinstance(error, BrokenProcessPool) else BrokenProcessPool())
        self._futures[future] = slot

    def _try_again(self, future: Future[Outcome], slot: _Slot, error: BrokenProcessPool) -> list[Outcome]:
        """Give the slot a new pool and run its job there, or return why not."""
        has_begun = pid_file(self._folder, slot.number).exists()
        slot.pool.stop()  # type: ignore[no-untyped-call]
        slot.pool.join()
        slot.pool = self._new_pool(slot.number)
        if slot.is_over_memory or slot.attempts >= _ATTEMPTS:
            number = self._release(future, slot).number
            return [self._death(number, slot, None) if slot.is_over_memory else _not_started(number, has_begun, error)]
        del self._futures[future]
        pid_file(self._folder, slot.number).unlink(missing_ok=True)
        if slot.job is not None:
            report_file(self._folder, slot.job.number).unlink(missing_ok=True)
            claim_file(self._folder, slot.job.number).unlink(missing_ok=True)
        self._schedule(slot)
        return []

    def _is_gone(self, slot: _Slot) -> bool:
        """Say whether the worker has been dead for a while and pebble has not told: it takes exit code 0 for an end."""
        assert slot.job is not None
        claim = claim_file(self._folder, slot.job.number)
        if slot.gone_since is None and claim.exists() and _process_in(claim) is None:
            slot.gone_since = time.monotonic()
        return slot.gone_since is not None and time.monotonic() - slot.gone_since > _GONE_SECONDS

    def _abandon(self, future: Future[Outcome], slot: _Slot) -> Outcome:
        """Give the slot a new pool and return the failure of the job whose worker ended without a word."""
        number = self._release(future, slot).number
        slot.pool.stop()  # type: ignore[no-untyped-call]
        slot.pool.join()
        slot.pool = self._new_pool(slot.number)
        return self._death(number, slot, 0)

    def _release(self, future: Future[Outcome], slot: _Slot) -> Job:
        """Free the slot, remove what its job and a dead worker have left, and return the job."""
        job = slot.job
        assert job is not None
        del self._futures[future]
        slot.job = None
        report_file(self._folder, job.number).unlink(missing_ok=True)
        claim_file(self._folder, job.number).unlink(missing_ok=True)
        self._process_of(slot)
        return job

    def _outcome(self, future: Future[Outcome], slot: _Slot, error: BaseException | None) -> Outcome:
        job = self._release(future, slot)
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
        limit = self._slots.memory_limit
        process = None if limit is None else self._process_of(slot)
        if limit is None or process is None:
            return
        with contextlib.suppress(psutil.Error):
            if process.memory_info().rss > limit * 2**20:
                slot.is_over_memory = True
                process.kill()

    def _process_of(self, slot: _Slot) -> psutil.Process | None:
        """Return the slot's worker; when it is dead, remove its file: its process number may be a stranger's by now."""
        path = pid_file(self._folder, slot.number)
        process = _process_in(path) if path.exists() else None
        if process is None:
            path.unlink(missing_ok=True)
        return process


def _process_in(path: Path) -> psutil.Process | None:
    """Return the process that left its number in the file, unless it is dead."""
    pid, started = json.loads(path.read_text(encoding="utf-8"))
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        is_same = abs(process.create_time() - started) < _SAME_START_SECONDS
        if is_same and process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _not_started(number: int, has_begun: bool, error: BrokenProcessPool) -> Outcome:
    when = "while it was being set up" if has_begun else "before its set-up began"
    hint = "" if has_begun else '; a script that starts workers needs `if __name__ == "__main__":`'
    why = f" ({' '.join(str(error.__cause__).split())})" if error.__cause__ else hint
    text = f"the worker process could not be started: it died {when}, {_ATTEMPTS} times in a row{why}"
    return Outcome.failed(number, "crashed", text)
