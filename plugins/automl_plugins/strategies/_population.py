"""What the evolutionary strategies share: an aging population and its tournaments."""

from __future__ import annotations

from collections import deque
from typing import Annotated

from numpy.random import Generator
from pydantic import Field

from automl import BaseOptions, Trial, pareto_front

_REDRAWS = 10


class PopulationOptions(BaseOptions):
    """Options of every strategy with an aging population."""

    population_size: Annotated[int, Field(ge=1)] | None = None
    """Members of the queue, which starts at random; by default a twentieth of the budget in trials, from 10 to 100, and
    30 without one. Published: 100."""
    tournament_size: Annotated[int, Field(ge=1)] | None = None
    """Members drawn for a tournament; by default a third of the population, from 5 to 10. Published: 10."""


class Population:
    """The youngest ``size`` told trials: each newcomer replaces the oldest, however good (aging, Real et al. 2019).

    The default size follows the budget: a twentieth of it, from 10 to the published 100 (which belongs to 2,000
    evaluations), and 30 without one. Our choice, made on NAS-Bench-201 with CIFAR-10: larger populations are behind
    early on, and smaller ones gain nothing after the first 50 evaluations.
    """

    def __init__(self, options: PopulationOptions, budget: int | None) -> None:
        followed = 30 if budget is None else min(100, max(10, round(budget / 20)))
        self.size = size = options.population_size or followed
        self.tournament_size = options.tournament_size or min(10, max(5, size // 3))
        self.told = 0
        self._members: deque[Trial] = deque(maxlen=size)

    def __len__(self) -> int:
        """Return the number of members."""
        return len(self._members)

    def add(self, trial: Trial) -> None:
        """Append a trial, duplicates and failures included, and let the oldest go."""
        self._members.append(trial)
        self.told += 1

    def is_founding(self, pending: int) -> bool:
        """Say whether the next proposal still belongs to the random start."""
        return self.told + pending < self.size or not self._members

    def tournament(self, rng: Generator, *, replace: bool = False) -> Trial:
        """Return the best of ``tournament_size`` random members.

        With several objectives, a random one of those that no other of the drawn dominates.
        """
        count = self.tournament_size if replace else min(self.tournament_size, len(self._members))
        drawn = [self._members[int(i)] for i in rng.choice(len(self._members), size=count, replace=replace)]
        best = min(drawn, key=lambda trial: trial.rank)
        if len(best.losses) == 1 or not best.is_feasible:
            return best
        feasible = [trial for trial in drawn if trial.is_feasible]
        front = pareto_front([trial.losses for trial in feasible])
        return feasible[front[int(rng.integers(len(front)))]]

    def pair(self, rng: Generator, *, replace: bool = False) -> tuple[Trial, Trial]:
        """Return the winners of two independent tournaments, drawn again a few times while they are equal."""
        for _ in range(_REDRAWS):
            first, second = self.tournament(rng, replace=replace), self.tournament(rng, replace=replace)
            if first.architecture != second.architecture:
                break
        return first, second
