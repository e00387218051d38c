"""What the evolutionary strategies share: an aging population and its tournaments."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Annotated, Literal

from numpy.random import Generator
from pydantic import Field, model_validator

from automl import BaseOptions, ConfigurationError, Goal, Trial, pareto_front

_REDRAWS = 10


class PopulationOptions(BaseOptions):
    """Options of every strategy with an aging population."""

    population_size: Annotated[int, Field(ge=1)] | None = None
    """Members of the queue, which starts at random; by default a twentieth of the budget in trials, from 10 to 100, and
    30 without one. Published: 100."""
    tournament_size: Annotated[int, Field(ge=1)] | None = None
    """Members drawn for a tournament; by default a third of the population, from 5 to 10. Published: 10."""
    tournament_share: Annotated[float, Field(gt=0, le=1)] | None = None
    """Share of the members drawn for a tournament, at least one, in place of `tournament_size`. Published for EvoNorm:
    0.05."""
    founders: Annotated[int, Field(ge=1)] | None = None
    """Architectures at the start, random but for those of `start`; by default `population_size`. Of more than that the
    newest are the first population. Published for EvoNorm: 5000 of which 2500 are kept."""
    selection: Literal["pareto", "average"] = "pareto"
    """Which of several objectives wins a tournament: `pareto`, a random member that no other of the drawn dominates, or
    `average`, the best mean of the objectives as they are, for objectives of one scale and one direction."""

    @model_validator(mode="after")
    def _one_size(self) -> PopulationOptions:
        if self.tournament_size is not None and self.tournament_share is not None:
            raise ValueError("give `tournament_size` or `tournament_share`, not both")
        return self


class Population:
    """The youngest ``size`` told trials: each newcomer replaces the oldest, however good (aging, Real et al. 2019).

    The default size follows the budget: a twentieth of it, from 10 to the published 100 (which belongs to 2,000
    evaluations), and 30 without one. Our choice, made on NAS-Bench-201 with CIFAR-10: larger populations are behind
    early on, and smaller ones gain nothing after the first 50 evaluations.

    The window holds from the first trial on: of more founders than members, the oldest leave before the first
    tournament.
    """

    def __init__(self, options: PopulationOptions, budget: int | None) -> None:
        followed = 30 if budget is None else min(100, max(10, round(budget / 20)))
        self.size = size = options.population_size or followed
        self.founders = options.founders or size
        self.tournament_size = options.tournament_size or min(10, max(5, size // 3))
        self._share = options.tournament_share
        self.selection = options.selection
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
        return self.told + pending < self.founders or not self._members

    def steps(self, pending: int) -> int:
        """Return the proposals since the random start."""
        return max(0, self.told + pending - self.founders)

    def tournament(self, rng: Generator, *, replace: bool = False) -> Trial:
        """Return the winner among ``tournament_size`` random members (see `PopulationOptions.selection`)."""
        count = self.tournament_size if self._share is None else max(1, round(self._share * len(self._members)))
        count = count if replace else min(count, len(self._members))
        drawn = [self._members[int(i)] for i in rng.choice(len(self._members), size=count, replace=replace)]
        return average_winner(drawn) if self.selection == "average" else pareto_winner(drawn, rng)

    def pair(self, rng: Generator, *, replace: bool = False) -> tuple[Trial, Trial]:
        """Return the winners of two independent tournaments, drawn again a few times while they are equal."""
        for _ in range(_REDRAWS):
            first, second = self.tournament(rng, replace=replace), self.tournament(rng, replace=replace)
            if first.architecture != second.architecture:
                break
        return first, second


def pareto_winner(drawn: Sequence[Trial], rng: Generator) -> Trial:
    """Return a random one of the feasible members that no other of the drawn dominates.

    With one objective the first of the best, and the best by rank where nothing is feasible; neither draws from
    ``rng``.
    """
    best = min(drawn, key=lambda trial: trial.rank)
    if len(best.losses) == 1 or not best.is_feasible:
        return best
    feasible = [trial for trial in drawn if trial.is_feasible]
    front = pareto_front([trial.losses for trial in feasible])
    return feasible[front[int(rng.integers(len(front)))]]


def average_winner(drawn: Sequence[Trial]) -> Trial:
    """Return the feasible member of the best mean over the objectives, the first of equals; else the best by rank.

    The mean is of the values as they are, as EvoNorm's is of accuracies on several networks: a normalisation would make
    the winner depend on who else was drawn.
    """
    feasible = [trial for trial in drawn if trial.is_feasible]
    if not feasible:
        return min(drawn, key=lambda trial: trial.rank)
    return min(feasible, key=lambda trial: sum(trial.losses))


def check_selection(strategy: str, options: PopulationOptions, goal: Goal) -> None:
    """Raise `ConfigurationError` when a mean over the objectives means nothing: some to be high and some to be low."""
    if options.selection == "average" and len({objective.direction for objective in goal.objectives}) > 1:
        raise ConfigurationError(
            f"`{strategy}.selection`: an average needs objectives of one scale, all to be high or all to be low, but "
            f"the study has {', '.join(map(str, goal.objectives))}; choose selection=pareto"
        )
