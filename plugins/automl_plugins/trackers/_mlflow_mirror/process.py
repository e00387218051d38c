"""Starting a writer process and looking at it from outside."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from automl_plugins.trackers._mlflow_mirror.assignment import Assignment, Status, read_status

_MODULE = "automl_plugins.trackers._mlflow_mirror.writer"
_LAST_BYTES = 4_000


class WriterProcess:
    """A writer at work. Its output goes to unnamed files, which cannot block it and leave nothing behind.

    It has a process group of its own: an interrupt at the terminal stops the engine, and the writer writes the rest.
    (A session of its own would make its low priority void: Linux shares the processor out to sessions first.)
    """

    def __init__(self, assignment: Assignment) -> None:
        self._output = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process is watched
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", _MODULE, assignment.study],
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=self._errors,
            env=child_environment(),
            process_group=0,
            text=True,
        )
        assert self._process.stdin is not None
        with self._process.stdin as pipe:
            pipe.write(assignment.to_json())

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """The exit code; ``None`` while it runs."""
        return self._process.poll()

    @property
    def status(self) -> Status:
        """Where the writer stands."""
        return read_status(self._output.fileno())

    @property
    def trouble(self) -> str:
        """Why it does not write, in one line; empty when it does."""
        if self.exit_code in (None, 0) or self.status.trouble:
            return self.status.trouble
        size = os.fstat(self._errors.fileno()).st_size
        last = os.pread(self._errors.fileno(), _LAST_BYTES, max(0, size - _LAST_BYTES)).decode(errors="replace")
        return (last.strip().splitlines() or [f"it ended with code {self.exit_code}"])[-1]

    def wait(self, seconds: float, watch: Callable[[Status], None] | None = None, every: float = 0.2) -> bool:
        """Wait until it has ended, at most ``seconds``; say whether it has. ``watch`` is shown the status meanwhile."""
        while seconds > 0:
            try:
                self._process.wait(min(seconds, every))
            except subprocess.TimeoutExpired:
                seconds -= every
                if watch is not None:
                    watch(self.status)
            else:
                break
        return self.exit_code is not None

    def stop(self) -> None:
        """End it at once; what it has not written is written by the next one."""
        self._process.kill()
        self._process.wait()


def child_environment() -> dict[str, str]:
    """Return the environment for a child that finds the same modules, leaves the devices alone and uses one core."""
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    quiet = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, **quiet, "PYTHONPATH": path}
