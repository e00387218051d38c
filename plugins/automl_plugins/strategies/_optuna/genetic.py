"""What the genetic samplers of Optuna share: generations formed from told trials, and the options of variation."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Any, ClassVar

from optuna.samplers import BaseGASampler
from optuna.samplers.nsgaii import UniformCrossover
from optuna.trial import FrozenTrial
from pydantic import Field

from automl import BaseOptions, Problem, derive_seed
from automl_plugins.strategies._optuna.adapter import OptunaOptions, OptunaStrategy

Rate = Annotated[float, Field(ge=0, le=1)]


class GeneticOptions(OptunaOptions):
    """Options of the genetic samplers."""

    population_size: Annotated[int, Field(ge=2)] | None = None
    """Trials in a generation. By default a tenth of the budget, between 10 and 50; Optuna's own default is 50."""
    mutation_rate: Rate | None = None
    """Chance of each parameter of a child to be redrawn at random; by default one over their number."""
    crossover_rate: Rate = 0.9
    """Chance of a child to have two parents rather than one."""
    swap_rate: Rate = 0.5
    """Chance of each parameter to come from the second parent."""


class GeneticStrategy(OptunaStrategy):
    """A genetic sampler whose generations follow from the told trials, in their order."""

    Options: ClassVar[type[BaseOptions]] = GeneticOptions
    options: Any

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        tenth = (problem.trials or 500) // 10
        self._generation: dict[str, Any] = {}
        self.population_size: int = self.options.population_size or min(max(tenth, 10), 50)

    @abstractmethod
    def sampler(self, seed: int) -> BaseGASampler:
        """Return a fresh sampler, every option given."""

    def arguments(self, seed: int) -> dict[str, Any]:
        """Return what the samplers of both algorithms take, every option given."""
        return {
            "population_size": self.population_size,
            "mutation": None,
            "mutation_prob": self.options.mutation_rate,
            "crossover": UniformCrossover(self.options.swap_rate),
            "crossover_prob": self.options.crossover_rate,
            "swapping_prob": self.options.swap_rate,
            "seed": seed,
            "constraints_func": None,
            "elite_population_selection_strategy": None,
            "child_generation_strategy": None,
            "after_trial_strategy": None,
        }

    def enter(self, frozen: FrozenTrial) -> None:
        """Add a told trial to the generation that is being filled; choose the next parents when that makes it full.

        Parents are chosen here, with a seed of their own, and kept in the study: a choice at the next ask would draw on
        the ask's generator, and two asks might choose differently.
        """
        sampler = self.fresh_sampler(derive_seed(self.problem.seed, "parents", len(self.told.trials)) % 2**32)
        study = self.told.study(sampler)
        frozen.system_attrs.update(self._generation)
        generation = sampler.get_trial_generation(study, self.told.asked(frozen))
        self.told.add(frozen)
        following = self.told.asked()
        if sampler.get_trial_generation(study, following) > generation:
            sampler.get_parent_population(study, generation + 1)
        self._generation = following.system_attrs

    def asked(self) -> FrozenTrial:
        """Return a trial to answer for, of the generation that is being filled; Optuna would count trials again."""
        asked = super().asked()
        asked.system_attrs.update(self._generation)
        return asked
