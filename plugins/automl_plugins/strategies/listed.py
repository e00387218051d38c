"""Strategy ``listed``: given architectures, one after the other.

It searches nothing. It is how other evaluators measure architectures that are known: the best of a finished study, or
the sample on which metrics are compared. What it proposes is decided by the list alone. The place of a proposal is in
its note, and the next ask goes on after the last place that is told or pending.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from numpy.random import Generator
from pydantic import Field

from automl import BaseOptions, GivenArchitectures, Problem, Proposal, Strategy, Trial, given_architectures


class ListedOptions(BaseOptions):
    """Options of `Listed`."""

    architectures: Annotated[GivenArchitectures, Field(min_length=1)]
    """The architectures, in order, each as the decisions that `automl show --json` prints, or as a name that `automl
    describe space NAME` lists; on the command line the JSON list of them. Repeats are proposed as they are."""


class Listed(Strategy):
    """Propose the listed architectures in their order, and then nothing.

    Raises `ConfigurationError` when one of them is no member of the space.
    """

    is_multi_objective = True
    means_repeats = True
    Options = ListedOptions
    options: ListedOptions

    def __init__(self, problem: Problem, options: ListedOptions) -> None:
        super().__init__(problem, options)
        self._architectures = given_architectures(problem.space, options.architectures, "listed.architectures")
        self._told = 0

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal | None:
        """Return the next architecture of the list; ``None`` after the last."""
        place = max([self._told, *(_after(trial) for trial in pending)])
        if place >= len(self._architectures):
            return None
        return Proposal(self._architectures[place], note={"operator": "listed", "place": place})

    def tell(self, trial: Trial) -> None:
        """Remember how far the list has been gone through."""
        self._told = max(self._told, _after(trial))


def _after(trial: Trial) -> int:
    """Return the place after that of the trial; 0 for a trial that is none of the list."""
    place = trial.note.get("place")
    return place + 1 if type(place) is int and place >= 0 else 0
