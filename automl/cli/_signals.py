"""Ctrl-C and SIGTERM while a study runs.

The first one asks the study to stop: nothing new starts, and what runs has `GRACE_SECONDS` to finish, after which the
engine gives it up at the evaluator's next check. Code that never checks is broken off by a timer instead, but only
while a candidate or a strategy runs, never in the middle of a commit. The second one stops the process and its children
at once; the store is built for that.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import psutil

from automl.cascade import Cascade, Interrupted
from automl.engine import GRACE_SECONDS, Engine, Stopper
from automl.errors import ExitCode

_BREAK_OFF_SECONDS = GRACE_SECONDS + 2.0
_BREAK_OFF_AGAIN_SECONDS = 1.0
_SHOW_CURSOR = b"\x1b[?25h"

_STOPPING = (f"stopping: waiting up to {GRACE_SECONDS:.0f} s for what runs; Ctrl-C again stops at once\n").encode()
_STOPPED = "stopped at once; continue with: {}\n"

# Where code of others runs in the engine's own thread.
_INTERRUPTIBLE: frozenset[CodeType] = frozenset(method.__code__ for method in (Cascade.run, Engine._ask, Engine._learn))


@contextmanager
def stop_on_signals(stopper: Stopper, go_on: str) -> Iterator[None]:
    """Turn SIGINT and SIGTERM into requests to ``stopper`` while the block runs; nothing but in the main thread.

    ``go_on`` is the command that continues the study.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_stop(_number: int, _frame: FrameType | None) -> None:
        if stopper.is_requested():
            _stop_at_once(go_on)
        stopper.request()
        # Straight to the descriptor: a handler may run in the middle of any other write.
        os.write(2, b"\r" * os.isatty(2) + _STOPPING)
        signal.setitimer(signal.ITIMER_REAL, _BREAK_OFF_SECONDS, _BREAK_OFF_AGAIN_SECONDS)

    def on_alarm(_number: int, frame: FrameType | None) -> None:
        if _is_interruptible(frame):
            raise Interrupted

    handlers = {signal.SIGINT: on_stop, signal.SIGTERM: on_stop, signal.SIGALRM: on_alarm}
    before: dict[signal.Signals, Any] = {number: signal.signal(number, act) for number, act in handlers.items()}
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_interruptible(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code in _INTERRUPTIBLE:
            return True
        frame = frame.f_back
    return False


def _stop_at_once(go_on: str) -> None:
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os.write(2, _SHOW_CURSOR * os.isatty(2) + _STOPPED.format(go_on).encode())
    os._exit(ExitCode.INTERRUPTED)
