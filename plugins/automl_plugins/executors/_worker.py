"""What runs inside a worker process of ``process_pool``."""

from __future__ import annotations

import copy
import ctypes
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from threadpoolctl import threadpool_limits

from automl import AutomlError, Cascade, Job, Outcome, PluginError, Recipe, isolated

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Setting:
    """How one worker is set up: its recipe, device and limits, and the folder through which it talks to the engine."""

    recipe: Recipe
    device: str
    threads: int
    memory_limit: float | None
    folder: Path
    slot: int
    parent: int


@dataclass(slots=True)
class _Worker:
    setting: Setting
    cascade: Cascade


_worker: _Worker | AutomlError = PluginError("the worker process was not set up")


def initialise(setting: Setting) -> None:
    """Set up this process: signals, limits, and the cascade with its data. What that raises, `evaluate` raises."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _die_with(setting.parent)
    _leave_pid(pid_file(setting.folder, setting.slot))
    worker = isolated(lambda: _set_up(setting))
    if isinstance(worker, _Worker | AutomlError):
        _worker = worker
        return
    _worker = PluginError(
        f"the worker process could not be set up: {type(worker).__name__}: {' '.join(str(worker).split())}"
    )
    _worker.__cause__ = worker


def evaluate(job: Job) -> Outcome:
    """Evaluate one job; reports are appended to the job's file as JSON lines.

    Raises:
        AutomlError: the study cannot go on, be it that this process could not be set up.
    """
    try:
        return _evaluate(job)
    except AutomlError as error:
        portable = _portable(error)
        raise portable from (None if portable is error else error)


def pid_file(folder: Path, slot: int) -> Path:
    """Return the file in which the worker of ``slot`` leaves its process number."""
    return folder / f"worker-{slot}.pid"


def claim_file(folder: Path, number: int) -> Path:
    """Return the file in which the worker that evaluates trial ``number`` leaves its process number."""
    return folder / f"trial-{number}.pid"


def report_file(folder: Path, number: int) -> Path:
    """Return the file to which the reports of trial ``number`` are appended."""
    return folder / f"trial-{number}.jsonl"


def _set_up(setting: Setting) -> _Worker:
    # For a torch that is imported only by a trial; a dynamic MKL would cap its threads at the physical cores.
    os.environ.update({"OMP_NUM_THREADS": str(setting.threads), "MKL_DYNAMIC": "FALSE"})
    cascade = setting.recipe.cascade()
    if cascade.needs_task:
        cascade.task.split("train")
    threadpool_limits(setting.threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(setting.threads)
    if setting.memory_limit is not None and setting.device.startswith("cpu"):
        _limit_memory(setting.memory_limit)
    return _Worker(setting, cascade)


def _evaluate(job: Job) -> Outcome:
    if isinstance(_worker, AutomlError):
        raise _worker
    _leave_pid(claim_file(_worker.setting.folder, job.number))
    path = report_file(_worker.setting.folder, job.number)

    def on_report(number: int, step: int, metrics: Mapping[str, float]) -> None:
        line = json.dumps([step, {name: float(value) for name, value in metrics.items()}])
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return _worker.cascade.run(job, _worker.setting.device, on_report, lambda: False)


def _portable(error: AutomlError) -> AutomlError:
    """Return ``error``, or its message in a class that survives pickling, as one with arguments of its own may not."""
    twin = isolated(lambda: copy.copy(error))
    return error if type(twin) is type(error) and str(twin) == str(error) else PluginError(str(error))


def _leave_pid(path: Path) -> None:
    """Write this process's number and the time it started, which tells it from a later one with the same number."""
    new = path.with_suffix(".new")
    new.write_text(json.dumps([os.getpid(), psutil.Process().create_time()]), encoding="utf-8")
    new.replace(path)


def _die_with(parent: int) -> None:
    """End this process when the engine is gone, however it went.

    On Linux the kernel sees to it, even while a candidate holds the interpreter's lock. It fires when the *thread* that
    made this process ends: that is the engine's, which stops the pool before it ends, or, for a worker that replaces
    another, the pool's own, which lives as long as the pool serves.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit_memory(megabytes: float) -> None:
    """Make allocations beyond the limit fail, so that the candidate sees an error before the system is in trouble."""
    if sys.platform == "linux":
        size = int(megabytes * 2**20)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
