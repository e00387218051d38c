"""What the evolutionary strategies share: an aging population and its tournaments."""

from __future__ import annotations

from collections import deque

from numpy.random import Generator

from automl import Trial, pareto_front


class Population:
    """The youngest ``size`` told trials: each newcomer replaces the oldest, however good (aging, Real et al. 2019)."""

    def __init__(self, size: int) -> None:
        self.size = size
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

    def tournament(self, size: int, rng: Generator, *, replace: bool = False) -> Trial:
        """Return the best of ``size`` random members.

        With several objectives, a random one of those that no other of the drawn dominates.
        """
        count = size if replace else min(size, len(self._members))
        drawn = [self._members[int(i)] for i in rng.choice(len(self._members), size=count, replace=replace)]
        best = min(drawn, key=lambda trial: trial.rank)
        if len(best.losses) == 1 or not best.is_feasible:
            return best
        feasible = [trial for trial in drawn if trial.is_feasible]
        front = pareto_front([trial.losses for trial in feasible])
        return feasible[front[int(rng.integers(len(front)))]]


def population_size(budget: int | None) -> int:
    """Return a population that follows the budget: a tenth of it, between 10 and the published 100; 30 without one.

    Our choice: a search of 50 trials cannot spend 100 on a random start.
    """
    return 30 if budget is None else min(100, max(10, round(budget / 10)))
