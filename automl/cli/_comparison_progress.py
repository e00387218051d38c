"""Where a comparison stands, on stderr: one live line on a terminal, elsewhere a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import numpy as np

from automl.cli._live import live_line
from automl.cli._output import number, plural, seconds
from automl.comparison.comparison import Comparison, Member
from automl.comparison.curves import curves_of
from automl.comparison.report import direction_of, objective_of, run_of

_PLAIN_SECONDS = 10.0
_BAR_WIDTH = 10


class ComparisonProgress:
    """Shows studies done, time left and the best value so far."""

    def __init__(
        self, comparison: Comparison, stream: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._comparison, self._clock = comparison, clock
        self._stream = stream if stream is not None else sys.stderr
        self._total, self._before = len(comparison.members), comparison.done
        self._done = self._before
        self._ids = {record.name: record.id for record in comparison.store.comparisons.studies(comparison.record.id)}
        self._began = self._written = clock()
        self._best: tuple[float, Member] | None = None
        self._update: Callable[[str], None] | None = None

    @contextmanager
    def shown(self) -> Iterator[ComparisonProgress]:
        """Say what begins, and show the live line while the block runs, if there is a terminal."""
        definition, store = self._comparison.definition, self._comparison.store
        action = f"goes on after {self._before} of {self._total} studies" if self._before else "starts"
        amount = f"{len(definition.labels)} strategies, {plural(definition.settings.seeds, 'seed')}"
        self._write(f"comparison {self._comparison.name} {action}: {amount} (store {store.display_url})")
        if not self._stream.isatty():
            yield self
            self._write(self.line(self._done))
            return
        with live_line(self._stream) as self._update:
            self._update(self.line(self._before))
            yield self
        self._update = None

    def study_ended(self, member: Member, done: int) -> None:
        """Take note of a study that has ended; ``done`` of all have."""
        self._note_best(member)
        self._done = done
        now = self._clock()
        if self._update is not None:
            self._update(self.line(done))
        elif now - self._written >= _PLAIN_SECONDS:
            self._written = now
            self._write(self.line(done))

    def line(self, done: int) -> str:
        """Return where the comparison stands, in one line."""
        filled = round(_BAR_WIDTH * done / self._total)
        parts = [f"{'█' * filled}{'░' * (_BAR_WIDTH - filled)} {done}/{self._total} studies"]
        ran, spent = done - self._before, self._clock() - self._began
        if ran and done < self._total:
            parts.append(f"{seconds((self._total - done) * spent / ran)} left")
        if self._best is not None:
            value, member = self._best
            metric = objective_of(self._comparison.definition)
            parts.append(f"best {metric} {number(value)} ({member.strategy.label}, seed {member.seed})")
        return "   ".join(parts)

    def _note_best(self, member: Member) -> None:
        definition = self._comparison.definition
        outcomes = self._comparison.store.comparisons.outcomes(self._ids[member.study])
        run = run_of(definition, member.seed, outcomes)
        if not run.objective:
            return
        direction = direction_of(definition)
        value = float(curves_of(member.strategy.label, [run], direction).chosen[0, -1])
        is_first = self._best is None or np.isnan(self._best[0])
        if is_first or (value > self._best[0] if direction == "max" else value < self._best[0]):  # type: ignore[index]
            self._best = (value, member)

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()
