"""Strategy ``nsga2``: non-dominated sorting genetic algorithm II [1], the sampler of Optuna 5.

Generations are formed from the told trials: a trial belongs to the generation that is being filled when it is told, and
when that has ``population_size`` trials, the best of it and of its parents, by non-dominated rank and crowding
distance, are the parents of the next. (In Optuna a trial belongs to the generation in which it was asked, so that with
parallel workers results that come late are lost to selection. One at a time, the two are the same.) A child is a
uniform crossover of two parents, each the winner of a tournament of two, whose parameters are then redrawn at random
with some chance. Differences of Optuna's sampler from [1], which are kept: the tournament goes by domination alone, not
by crowding distance; a random redraw takes the place of polynomial mutation.

[1] Deb, Pratap, Agarwal and Meyarivan. A fast and elitist multiobjective genetic algorithm: NSGA-II. IEEE Transactions
    on Evolutionary Computation 6(2), 2002.
"""

from __future__ import annotations

import optuna

from automl_plugins.strategies._optuna.genetic import GeneticOptions, GeneticStrategy


class Nsga2(GeneticStrategy):
    """Keep a population that approaches the Pareto front and spreads along it."""

    is_multi_objective = True
    paper = "Deb et al. A fast and elitist multiobjective genetic algorithm: NSGA-II. 2002."
    Options = GeneticOptions
    options: GeneticOptions

    def sampler(self, seed: int) -> optuna.samplers.NSGAIISampler:
        """Return the sampler."""
        return optuna.samplers.NSGAIISampler(**self.arguments(seed))
