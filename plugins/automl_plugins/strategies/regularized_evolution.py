"""Strategy ``regularized_evolution``: aging evolution by tournament and mutation [1].

A queue of ``population_size`` architectures starts at random. Each step draws ``tournament_size`` members, mutates the
best of them by one decision, and appends the child; the oldest leaves.

[1] Real, Aggarwal, Huang and Le. Regularized evolution for image classifier architecture search. AAAI 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.random import Generator

from automl import Architecture, Problem, Proposal, Strategy, Trial
from automl_plugins.strategies._population import Population, PopulationOptions

_REDRAWS = 50


class RegularizedEvolution(Strategy):
    """Mutate the best of a random few; the oldest member dies, not the worst."""

    is_multi_objective = True
    paper = "Real et al. Regularized evolution for image classifier architecture search. AAAI 2019."

    class Options(PopulationOptions):
        """Options of regularized evolution."""

        replace: bool = True
        """Draw the members of a tournament with replacement, as the published benchmark code does."""

    options: Options

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        self.population = Population(self.options, problem.trials)

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then a mutated tournament winner."""
        if self.population.is_founding(len(pending)):
            return Proposal(self.problem.space.sample(rng), note={"operator": "random"})
        parent = self.population.tournament(rng, replace=self.options.replace)
        return Proposal(self._child(parent, rng), note={"operator": "mutation", "parents": [parent.number]})

    def tell(self, trial: Trial) -> None:
        """Append the trial; the oldest leaves."""
        self.population.add(trial)

    def _child(self, parent: Trial, rng: Generator) -> Architecture:
        """Mutate one decision, again until the network itself has changed (a change of a dead part changes nothing)."""
        space = self.problem.space
        child = space.mutate(parent.architecture, rng)
        for _ in range(_REDRAWS):
            if space.key(child) != parent.key:
                break
            child = space.mutate(parent.architecture, rng)
        return child
