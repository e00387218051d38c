"""What runs inside a worker process of ``process_pool``."""

from __future__ import annotations

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

from threadpoolctl import threadpool_limits

from automl import Cascade, ConfigurationError, Job, Outcome, Recipe


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


_worker: _Worker | None = None


def initialise(setting: Setting) -> None:
    """Set up this process: signals, limits, and the cascade with its data."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(setting.parent,), daemon=True).start()
    cascade = setting.recipe.cascade()
    cascade.task.split("train")
    threadpool_limits(setting.threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(setting.threads)
    if setting.memory_limit is not None and setting.device.startswith("cpu"):
        _limit_memory(setting.memory_limit)
    pid_file(setting.folder, setting.slot).write_text(str(os.getpid()))
    _worker = _Worker(setting, cascade)


def evaluate(job: Job) -> Outcome:
    """Evaluate one job; reports are appended to the job's file as JSON lines."""
    if _worker is None:
        raise ConfigurationError("the worker was not set up")
    path = report_file(_worker.setting.folder, job.number)

    def on_report(number: int, step: int, metrics: Mapping[str, float]) -> None:
        line = json.dumps([step, {name: float(value) for name, value in metrics.items()}])
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    return _worker.cascade.run(job, _worker.setting.device, on_report, lambda: False)


def pid_file(folder: Path, slot: int) -> Path:
    """Return the file in which the worker of ``slot`` leaves its process number."""
    return folder / f"worker-{slot}.pid"


def report_file(folder: Path, number: int) -> Path:
    """Return the file to which the reports of trial ``number`` are appended."""
    return folder / f"trial-{number}.jsonl"


def _die_with(parent: int) -> None:
    """End this process when the engine is gone, however it went."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit_memory(megabytes: float) -> None:
    """Make allocations beyond the limit fail, so that the candidate sees an error before the system is in trouble."""
    if sys.platform == "linux":
        size = int(megabytes * 2**20)
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (size, hard))
