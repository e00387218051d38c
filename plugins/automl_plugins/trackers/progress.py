"""Tracker ``progress``: where a study stands, on stderr.

On a terminal one live line; elsewhere (a pipe, a log file, CI) a plain line every ``interval`` seconds. Nothing goes to
stdout, which belongs to results.
"""

from __future__ import annotations

import atexit
import sys
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from automl import BaseOptions, Objective, Progress, Study, Tracker, Trial

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_REFRESH_SECONDS = 0.25
_BAR_WIDTH = 10


class ProgressOptions(BaseOptions):
    """Options of the progress display."""

    interval: float = 10.0
    """Seconds between two lines where there is no terminal."""


class ProgressDisplay(Tracker):
    """Shows trials done of the budget, time left, the best so far, rate and failures.

    >>> ProgressDisplay().options.interval
    10.0
    """

    Options = ProgressOptions

    def __init__(
        self, options: Any = None, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(options)
        self._stream = stream if stream is not None else sys.stderr
        self._clock = clock
        self._live: Live | None = None
        self._objectives: tuple[Objective, ...] = ()
        self._began = self._written = 0.0
        self._trials_before = 0
        self._progress: Progress | None = None

    def study_started(self, study: Study, progress: Progress) -> None:
        """Say the study's name, which is needed to resume it, and begin to display."""
        self._objectives = study.goal.objectives
        self._began = self._written = self._clock()
        self._progress = progress
        self._trials_before = progress.trials
        action = f"goes on after {_trials(progress.trials)}" if progress.trials else "starts"
        self._write(f"study {study.name} {action} (store {study.store.display_url})")
        if self._stream.isatty():
            self._start_live(self.line(progress))

    def trial_reported(self, trial: Trial, step: int, metrics: Mapping[str, float]) -> None:
        """Show a report of a long trial, so that something moves."""
        if self._progress is not None:
            numbers = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            self._show(self._progress, f"trial {trial.number} step {step}: {numbers}")

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        """Update the live line, or write one if the last is old enough."""
        self._progress = progress
        self._show(progress)

    def study_finished(self, state: str, progress: Progress) -> None:
        """Write the last line for good."""
        self._stop_live()
        self._write(self.line(progress))

    def line(self, progress: Progress) -> str:
        """Return where the study stands, in one line."""
        now = self._clock()
        done, spent = progress.trials - self._trials_before, now - self._began
        parts = [_amount(progress)]
        left = _seconds_left(progress, done, spent)
        if left is not None and left > 0:
            parts.append(f"{_duration(left)} left")
        parts.append(_best(progress, self._objectives))
        if done and spent > 0:
            parts.append(_rate(done / spent))
        parts += [f"{progress.counts[kind]} {kind}" for kind in ("failed", "rejected") if progress.counts.get(kind)]
        return "   ".join(part for part in parts if part)

    def _show(self, progress: Progress, running: str = "") -> None:
        now = self._clock()
        if now - self._written < (self.options.interval if self._live is None else _REFRESH_SECONDS):
            return
        self._written = now
        text = "   ".join(part for part in (self.line(progress), running) if part)
        if self._live is None:
            self._write(text)
        else:
            self._live.update(_one_line(text), refresh=True)

    def _start_live(self, line: str) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self._stream, highlight=False, markup=False, emoji=False)
        # A store that fails ends a study without a last call, and a live display left on hides the cursor.
        atexit.register(self._stop_live)
        self._live = Live(_one_line(line), console=console, auto_refresh=False, transient=True, redirect_stdout=False)
        self._live.start(refresh=True)

    def _stop_live(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            atexit.unregister(self._stop_live)

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def _one_line(text: str) -> Text:
    from rich.text import Text

    return Text(text, no_wrap=True, overflow="ellipsis")


def _amount(progress: Progress) -> str:
    share = _share(progress)
    filled = "" if share is None else "█" * round(share * _BAR_WIDTH) + "░" * (_BAR_WIDTH - round(share * _BAR_WIDTH))
    budget = progress.trials_budget
    amount = _trials(progress.trials) if budget is None else f"{progress.trials}/{_trials(budget)}"
    return f"{filled} {amount}".strip()


def _trials(count: int) -> str:
    return "1 trial" if count == 1 else f"{count} trials"


def _share(progress: Progress) -> float | None:
    """Return how much of the budget is spent; of two budgets, of the one that ends first."""
    shares = []
    if progress.trials_budget is not None:
        shares.append(progress.trials / progress.trials_budget)
    if progress.time_budget is not None:
        shares.append(progress.elapsed / progress.time_budget)
    return min(1.0, max(shares)) if shares else None


def _best(progress: Progress, objectives: tuple[Objective, ...]) -> str:
    if not progress.best:
        return ""
    first = progress.best[0]
    values = ", ".join(f"{o.metric} {first.metrics[o.metric]:.6g}" for o in objectives if o.metric in first.metrics)
    return f"best {values}" if len(progress.best) == 1 else f"Pareto front of {len(progress.best)}, {values}"


def _rate(per_second: float) -> str:
    for factor, unit in ((1, "s"), (60, "min")):
        if per_second * factor >= 1:
            return f"{per_second * factor:.3g} trials/{unit}"
    return f"{per_second * 3600:.3g} trials/h"


def _seconds_left(progress: Progress, done: int, spent: float) -> float | None:
    left = []
    if progress.trials_budget is not None and done:
        left.append((progress.trials_budget - progress.trials) * spent / done)
    if progress.time_budget is not None:
        left.append(progress.time_budget - progress.elapsed)
    return min(left) if left else None


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
