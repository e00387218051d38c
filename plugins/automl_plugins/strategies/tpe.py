"""Strategy ``tpe``: the tree-structured Parzen estimator of Optuna 5 [1, 2].

Every option of the sampler that Optuna 5 does not deprecate is passed explicitly, since defaults changed between
Optuna 4 and 5 and would change results with an upgrade. Optuna repeats itself by design; repeats are masked here: the
walk is asked again, and after ``max_tries`` a random neighbour is taken.

[1] Bergstra, Bardenet, Bengio and Kegl. Algorithms for hyper-parameter optimization. NeurIPS 2011.
[2] Watanabe. Tree-structured Parzen estimator: understanding its algorithm components. arXiv 2304.11127, 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import optuna
from numpy.random import Generator
from pydantic import Field

from automl import BaseOptions, Problem, Proposal, Strategy, Trial
from automl_plugins.strategies._optuna import OptunaHistory


class Tpe(Strategy):
    """Model the good and the bad architectures as densities, and propose where their ratio is highest."""

    is_multi_objective = True
    paper = "Bergstra et al. Algorithms for hyper-parameter optimization. NeurIPS 2011."

    class Options(BaseOptions):
        """Options of the Parzen estimator."""

        startup_trials: Annotated[int, Field(ge=1)] | None = None
        """Random trials before the model. By default 25 for a budget of 150 trials or more, else 10."""
        candidates: Annotated[int, Field(ge=1)] = 24
        """Candidates drawn from the good density for one proposal."""
        multivariate: bool = True
        """Model decisions jointly. Decisions that not every walk asks are then sampled independently, unless
        `group`."""
        group: bool = False
        """Model each set of decisions that occur together jointly (experimental in Optuna)."""
        constant_liar: bool = True
        """Treat pending trials as bad, so that parallel workers do not all try the same."""
        max_tries: Annotated[int, Field(ge=1)] = 20
        """Walks asked for before a repeat is replaced by a random neighbour."""

    options: Options

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        has_time = problem.trials is not None and problem.trials >= 150
        self.startup_trials = self.options.startup_trials or (25 if has_time else 10)
        self._history = OptunaHistory(problem)
        self._told = 0

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then the sampler's."""
        if self._told + len(pending) < self.startup_trials or self._told == 0:
            return Proposal(self.problem.space.sample(rng), note={"operator": "random"})
        sampler = optuna.samplers.TPESampler(
            n_startup_trials=1,
            n_ei_candidates=self.options.candidates,
            multivariate=self.options.multivariate,
            group=self.options.group,
            constant_liar=self.options.constant_liar,
            seed=int(rng.integers(2**32)),
        )
        return self._history.propose(sampler, pending, rng, tries=self.options.max_tries)

    def tell(self, trial: Trial) -> None:
        """Add the trial to the model's history."""
        self._told += 1
        self._history.tell(trial)
