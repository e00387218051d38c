"""Strategy ``optuna_gp``: Bayesian optimisation with a Gaussian process [1], the sampler of Optuna 5.

A process with a Matérn-5/2 kernel, a length scale per parameter (Hamming distance for categorical ones) and a noise
term is fitted to the told losses by maximum a posteriori; the next architecture maximises the logarithm of expected
improvement [2] (of expected hypervolume improvement with several objectives, times the chance of being feasible under
constraints), found by local search from good points. Pending trials are taken into account.

Where it ends at a known architecture, asking again would find the same maximum, so few tries are made before a random
neighbour is taken. A decision that an architecture does not have counts with its first answer.

[1] Snoek, Larochelle and Adams. Practical Bayesian optimization of machine learning algorithms. NeurIPS 2012.
[2] Ament, Daulton, Eriksson, Balandat and Bakshy. Unexpected improvements to expected improvement for Bayesian
    optimization. NeurIPS 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import optuna
from numpy.random import Generator
from pydantic import Field

from automl import Decision, Proposal, Trial, Value
from automl_plugins.strategies._optuna.adapter import OptunaOptions, OptunaStrategy


class OptunaGpOptions(OptunaOptions):
    """Options of `OptunaGp`."""

    startup_trials: Annotated[int, Field(ge=1)] = 10
    """Random trials before the model."""
    deterministic: bool = False
    """Fix the model's noise near zero (experimental in Optuna)."""
    max_tries: Annotated[int, Field(ge=1)] = 2
    """Walks asked for before a repeat is replaced by a random neighbour; each costs a maximisation."""


class OptunaGp(OptunaStrategy):
    """Propose where a Gaussian process expects most improvement."""

    is_multi_objective = True
    paper = "Snoek et al. Practical Bayesian optimization of machine learning algorithms. NeurIPS 2012."
    Options = OptunaGpOptions
    options: OptunaGpOptions

    def sampler(self, seed: int) -> optuna.samplers.GPSampler:
        """Return the sampler."""
        return optuna.samplers.GPSampler(
            seed=seed,
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            n_startup_trials=1,
            deterministic_objective=self.options.deterministic,
            constraints_func=None,
            warn_independent_sampling=False,
        )

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then the model's."""
        if self.is_starting(pending, self.options.startup_trials):
            return self.random(rng)
        return super().ask(rng, pending)

    def filling(self, decision: Decision, trial: Trial) -> Value:
        """Return the first answer, so that absent decisions put no distance between architectures."""
        return decision.low if decision.kind == "real" else next(decision.answers())
