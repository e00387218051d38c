"""The studies of a comparison in several processes, each with its own components and its own connection to the store.

Processes are spawned, so that they inherit no state; the script that calls `automl.compare` with several jobs needs the
usual ``if __name__ == "__main__":`` guard. One that dies loses nothing but the trial it was at: its study goes on in
another. They end with this process, however it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pebble

from automl.comparison.comparison import ENDED, Comparison, Member, load_comparison
from automl.comparison.workshop import StudyFailed, Workshop
from automl.engine import Stopper
from automl.errors import ExitCode
from automl.storage.database import Durability
from automl.storage.store import Store

if TYPE_CHECKING:
    from automl.comparison.run import OnStudy

_LOOK_SECONDS = 0.2
_ATTEMPTS = 3
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """What a process is told when it starts. ``stop`` is a `multiprocessing.Event`."""

    url: str
    durability: Durability
    comparison: str
    stop: Any
    parent: int


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a study could not go on; an exception of a plugin's might not survive the way between processes."""

    message: str
    exit_code: int


def run_in_processes(
    comparison: Comparison,
    durability: Durability,
    todo: Sequence[Member],
    jobs: int,
    stopper: Stopper,
    on_study: OnStudy,
) -> bool:
    """Run the studies of ``todo``, ``jobs`` at a time, and say whether all have ended; see `automl.comparison.run`.

    Raises:
        StudyFailed: a study cannot go on, or took its process with it several times.
    """
    context = multiprocessing.get_context("spawn")
    setting = Setting(comparison.store.url, durability, comparison.name, context.Event(), os.getpid())
    pool = pebble.ProcessPool(max_workers=jobs, context=context, initializer=_start, initargs=(setting,))
    before = comparison.done
    try:
        return _Jobs(pool, setting, stopper, on_study, before).run(todo)
    finally:
        setting.stop.set()
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


@dataclass
class _Jobs:
    pool: pebble.ProcessPool
    setting: Setting
    stopper: Stopper
    on_study: OnStudy
    done: int
    running: dict[Future[Any], Member] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    unfinished: int = 0

    def run(self, todo: Sequence[Member]) -> bool:
        """Schedule all and collect them; stops early when asked to, or at the first failure."""
        for member in todo:
            self._schedule(member)
        while self.running and not self.stopper.is_due():
            if self.stopper.is_requested():
                self.setting.stop.set()
            ended, _ = wait(self.running, _LOOK_SECONDS, FIRST_COMPLETED)
            for future in ended:
                self._collect(future)
        return not self.running and not self.unfinished

    def _schedule(self, member: Member) -> None:
        self.attempts[member.study] = self.attempts.get(member.study, 0) + 1
        self.running[self.pool.schedule(_run, args=(member,))] = member

    def _collect(self, future: Future[Any]) -> None:
        member = self.running.pop(future)
        try:
            found = future.result()
        except (pebble.ProcessExpired, BrokenProcessPool) as death:
            if self.stopper.is_requested():
                self.unfinished += 1
                return
            if self.attempts[member.study] >= _ATTEMPTS or not self.pool.active:
                raise StudyFailed(f"study {member.study}: the process in which it ran died: {death}") from death
            self._schedule(member)
            return
        if isinstance(found, Failure):
            raise StudyFailed(found.message, ExitCode(found.exit_code))
        if found in ENDED:
            self.done += 1
            self.on_study(member, self.done)
        else:
            self.unfinished += 1


@dataclass
class _StopperOfAll(Stopper):
    """Requested when the process that started this one says so."""

    event: Any = None

    def is_requested(self) -> bool:
        if self.requested is None and self.event.is_set():
            self.request()
        return self.requested is not None


@dataclass
class _Worker:
    setting: Setting
    stopper: _StopperOfAll
    store: Store
    workshop: Workshop | None = None


_worker: _Worker | None = None


def _start(setting: Setting) -> None:
    """Set up this process; what may fail is left to the first study, whose error then says so."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(setting.parent)
    store = Store(setting.url, durability=setting.durability, create=False)
    _worker = _Worker(setting, _StopperOfAll(event=setting.stop), store)


def _run(member: Member) -> str | Failure:
    """Run one study and return its state."""
    worker = _worker
    if worker is None or worker.stopper.is_requested():
        return "interrupted"
    try:
        if worker.workshop is None:
            worker.workshop = Workshop.of(load_comparison(worker.setting.comparison, store=worker.store).definition)
        return str(worker.workshop.run(worker.store, member, worker.stopper).value)
    except StudyFailed as error:
        return Failure(str(error), int(error.exit_code))


def _die_with(parent: int) -> None:
    """End this process when the one that started it is gone, however it went; Linux does so at once."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
