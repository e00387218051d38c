"""Strategy ``nsga3``: non-dominated sorting genetic algorithm III [1, 2], the sampler of Optuna 5.

As `nsga2`, but where a front does not fit into the population, the members kept are those nearest to directions spread
evenly over the objectives, so that fronts of three and more objectives are covered. Generations are formed from the
told trials in the same way. Differences of Optuna's sampler from [1], which are kept: tournaments by domination among
parents, a random redraw in the place of polynomial mutation.

[1] Deb and Jain. An evolutionary many-objective optimization algorithm using reference-point-based nondominated sorting
    approach, part I: solving problems with box constraints. IEEE Transactions on Evolutionary Computation 18(4), 2014.
[2] Jain and Deb. Part II: handling constraints and extending to an adaptive approach. The same.
"""

from __future__ import annotations

from typing import Annotated

import optuna
from pydantic import Field

from automl_plugins.strategies._optuna.genetic import GeneticOptions, GeneticStrategy


class Nsga3Options(GeneticOptions):
    """Options of `Nsga3`."""

    divisions: Annotated[int, Field(ge=1, le=50)] = 3
    """Divisions of each objective's axis between reference directions; more of them ask for a larger population."""


class Nsga3(GeneticStrategy):
    """Keep a population that spreads along directions in the space of objectives."""

    is_multi_objective = True
    paper = "Deb and Jain. An evolutionary many-objective optimization algorithm (NSGA-III), part I. 2014."
    Options = Nsga3Options
    options: Nsga3Options

    def sampler(self, seed: int) -> optuna.samplers.NSGAIIISampler:
        """Return the sampler."""
        return optuna.samplers.NSGAIIISampler(
            **self.arguments(seed), reference_points=None, dividing_parameter=self.options.divisions
        )
