"""Where a retraining stands, on stderr: one live line on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from automl.cli._live import live_line
from automl.cli._output import number, plural, seconds
from automl.models.plan import Plan
from automl.models.retraining import Step

_PLAIN_SECONDS = 10.0
_BAR_WIDTH = 10


class RetrainProgress:
    """Shows the training under way, its epoch and loss, and the time left."""

    def __init__(
        self,
        plan: Plan,
        *,
        is_quiet: bool = False,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._is_quiet, self._clock = plan, is_quiet, clock
        self._stream = stream if stream is not None else sys.stderr
        self._written = clock()
        self._first: tuple[float, int] | None = None
        self._before = (-1, -1)
        self._update: Callable[[str], None] | None = None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the live line while the block runs, if there is a terminal."""
        if self._is_quiet or not self._stream.isatty():
            yield
            return
        with live_line(self._stream) as self._update:
            yield
        self._update = None

    def step(self, step: Step) -> None:
        """Take note of a step; the first of a training is announced in a line of its own."""
        if self._is_quiet:
            return
        if (step.trial, step.seed) != self._before:
            self._before, self._first = (step.trial, step.seed), None
            self._write(self.heading(step))
            self._written = self._clock()
        if step.epoch and self._first is None:
            self._first = (self._clock(), step.epoch)
        now = self._clock()
        if self._update is not None:
            self._update(self.line(step))
        elif now - self._written >= _PLAIN_SECONDS:
            self._written = now
            self._write(self.line(step))

    def heading(self, step: Step) -> str:
        """Return the line that says which training begins."""
        length = "" if step.epochs is None else f", {plural(step.epochs, 'epoch')}"
        amount = f" ({step.number} of {step.total})" if step.total > 1 else ""
        return f"training trial {step.trial} with seed {step.seed}{amount}{length} on {self._plan.device}"

    def line(self, step: Step) -> str:
        """Return where the training stands, in one line."""
        parts = [f"{step.number}/{step.total}" if step.total > 1 else "", _bar(step)]
        parts += [f"{name} {number(value)}" for name, value in step.metrics.items() if name != "train_time"]
        if self._first is not None and step.epochs is not None and step.epoch > self._first[1]:
            began, first = self._first
            each = (self._clock() - began) / (step.epoch - first)
            left = each * (step.epochs - step.epoch + (step.total - step.number) * step.epochs)
            parts.append(f"{seconds(left)} left" if left else "")
        return "   ".join(part for part in parts if part)

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def _bar(step: Step) -> str:
    if step.epochs is None:
        return f"epoch {step.epoch}"
    filled = round(_BAR_WIDTH * step.epoch / step.epochs)
    return f"{'█' * filled}{'░' * (_BAR_WIDTH - filled)} epoch {step.epoch}/{step.epochs}"
