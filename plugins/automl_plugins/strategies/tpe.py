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
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from pydantic import Field

from automl import Problem, Proposal, Trial
from automl_plugins.strategies._optuna.adapter import OptunaOptions, OptunaStrategy


class TpeOptions(OptunaOptions):
    """Options of the Parzen estimator."""

    startup_trials: Annotated[int, Field(ge=1)] | None = None
    """Random trials before the model. By default 25 for a budget of 150 trials or more, else 10."""
    candidates: Annotated[int, Field(ge=1)] = 24
    """Candidates drawn from the good density for one proposal."""
    multivariate: bool = True
    """Model decisions jointly. Decisions that not every walk asks are then sampled independently, unless `group`."""
    group: bool = False
    """Model each set of decisions that occur together jointly (experimental in Optuna)."""
    constant_liar: bool = True
    """Treat pending trials as bad, so that parallel workers do not all try the same."""


class Tpe(OptunaStrategy):
    """Model the good and the bad architectures as densities, and propose where their ratio is highest."""

    is_multi_objective = True
    has_fixed_parameters = False
    paper = "Bergstra et al. Algorithms for hyper-parameter optimization. NeurIPS 2011."
    Options = TpeOptions
    options: TpeOptions

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        has_time = problem.trials is not None and problem.trials >= 150
        self.startup_trials = self.options.startup_trials or (25 if has_time else 10)

    def sampler(self, seed: int) -> optuna.samplers.TPESampler:
        """Return the sampler; what a model takes of random trials has been proposed before."""
        return _Fitted(
            n_startup_trials=1,
            n_ei_candidates=self.options.candidates,
            multivariate=self.options.multivariate,
            group=self.options.group,
            constant_liar=self.options.constant_liar,
            seed=seed,
        )

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first, then the sampler's."""
        if self.is_starting(pending, self.startup_trials):
            return self.random(rng)
        return super().ask(rng, pending)


class _Fitted(optuna.samplers.TPESampler):
    """The sampler, which fits its densities once: walks that are asked again for the same told trials share them.

    The answers are those of the sampler itself; a test compares them.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._densities: dict[tuple[str, ...], list[Any]] = {}

    def _build_parzen_estimator(self, study: optuna.Study, search_space: Any, *rest: Any, **named: Any) -> Any:
        density = super()._build_parzen_estimator(study, search_space, *rest, **named)
        self._densities.setdefault(tuple(search_space), []).append(density)
        return density

    def _sample(self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Any:
        fitted = self._densities.get(tuple(search_space))
        if fitted is None:
            return super()._sample(study, trial, search_space)
        good, bad = fitted
        candidates = good.sample(self._rng.rng, self._n_ei_candidates)
        best = self._compare(candidates, self._compute_acquisition_func(candidates, good, bad))
        return {name: distribution.to_external_repr(best[name]) for name, distribution in search_space.items()}
