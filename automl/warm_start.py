"""A warm start: the first proposals are given, whatever the strategy.

A strategy is a fold over told trials, and a warm start is a wrapper around one: its k-th ask is answered with the k-th
given architecture, and everything told is told to the strategy within. How many were asked is how many are told or
pending, so that the wrapper is a fold, too, and a resumed study goes on where it was.

The strategy within sees trials that it did not propose, as it does when the engine helps it out of repeats. It makes of
them what it makes of any trial: members of a population, observations of a model, founders that need not be drawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.architecture import Architecture
from automl.given import given_architectures
from automl.strategy import Proposal, Strategy
from automl.trial import Trial

if TYPE_CHECKING:
    from numpy.random import Generator

OPERATOR = "start"


class WarmStarted(Strategy):
    """Propose given architectures in their order, each with a full evaluation, then what ``strategy`` proposes.

    ``names`` says what people call them, and stands in the notes of their trials.
    """

    def __init__(
        self, strategy: Strategy, start: Sequence[Architecture], names: Sequence[str | None] | None = None
    ) -> None:
        super().__init__(strategy.problem)
        self.strategy = strategy
        self._start = tuple(start)
        self._names = tuple(names or (None,) * len(self._start))
        self._told = 0

    @property
    def means_repeats(self) -> bool:  # type: ignore[override]  # of whatever it wraps, which a class cannot say
        """Whether the strategy within means its repeats."""
        return self.strategy.means_repeats

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal | None:
        """Return the next given architecture; after the last, what the strategy within proposes."""
        place = self._told + len(pending)
        if place >= len(self._start):
            return self.strategy.ask(rng, pending)
        name = self._names[place]
        note = {"operator": OPERATOR} if name is None else {"operator": OPERATOR, "name": name}
        return Proposal(self._start[place], note=note)

    def tell(self, trial: Trial) -> None:
        """Tell the strategy within."""
        self._told += 1
        self.strategy.tell(trial)


def warm_started(strategy: Strategy, start: Sequence[str | Mapping[str, Any]], option: str) -> Strategy:
    """Return ``strategy`` with a warm start, or as it is when nothing is given.

    Raises:
        ConfigurationError: a name is unknown, or a table is no member of the space; the message names ``option``.
    """
    if not start:
        return strategy
    architectures = given_architectures(strategy.problem.space, start, option)
    return WarmStarted(strategy, architectures, [entry if isinstance(entry, str) else None for entry in start])
