"""Strategy ``cmaes``: evolution strategy with covariance matrix adaptation [1], the sampler of Optuna 5 on ``cmaes``.

CMA-ES searches a cube of real numbers, so every decision becomes numbers: integers and reals are themselves, options
and positions are a number in [0, 1] each, of which the greatest is meant, and a subset is the items above one half (in
full in `automl_plugins.strategies._optuna.encoding`). The search begins in the middle with a standard deviation of 1/6,
which prefers no option.

What is told are the points that were drawn, not their corners of the cube: a proposal's note holds its point. Where the
architecture of a trial is another than its point means (a neighbour taken for a repeat), the point is corrected with as
few changes as possible; a trial without a point gets 2/3 for what it chose and 1/3 for the rest.

``population_size`` told trials make a generation, whatever their state, in the order of telling. CMA-ES knows ranks
only, and the ranks are those of the trials: feasible ones by their loss, then by violation, then what failed. So the
state of the search is a function of the told trials; Optuna would leave out failures and ignore constraints.

[1] Hansen. The CMA evolution strategy: a tutorial. arXiv 1604.00772, 2016.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial
from optuna.trial import TrialState as OptunaState
from pydantic import Field

from automl import Problem, Trial, derive_seed
from automl_plugins.strategies._optuna.adapter import OptunaOptions, OptunaStrategy
from automl_plugins.strategies._optuna.encoding import FRACTION, Encoding, Point, RelaxedEncoding

_DIGITS = 6


class CmaEsOptions(OptunaOptions):
    """Options of `CmaEs`."""

    population_size: Annotated[int, Field(ge=4)] | None = None
    """Trials in a generation; by default 4 + ⌊3 ln d⌋ for d numbers (eq. 48 of the tutorial)."""
    variant: Literal["full", "separable", "adaptive"] = "full"
    """A full covariance matrix, a diagonal one, or a full one whose learning rate adapts to noise (the last two are
    experimental in Optuna)."""


class CmaEs(OptunaStrategy):
    """Adapt a normal distribution to where the better half of each generation lies."""

    paper = "Hansen. The CMA evolution strategy: a tutorial. arXiv 1604.00772, 2016."
    Options = CmaEsOptions
    options: CmaEsOptions

    def __init__(self, problem: Problem, options: Any = None) -> None:
        super().__init__(problem, options)
        default = 4 + math.floor(3 * math.log(max(1, len(self.parameters))))
        self.population_size = self.options.population_size or default
        self._generation: list[Trial] = []
        self._mark: dict[str, Any] = {}
        if self.parameters:
            self._begin()

    def make_encoding(self) -> Encoding:
        """Return the encoding in numbers."""
        return RelaxedEncoding()

    def sampler(self, seed: int) -> optuna.samplers.CmaEsSampler:
        """Return the sampler."""
        return optuna.samplers.CmaEsSampler(
            n_startup_trials=0,
            independent_sampler=optuna.samplers.RandomSampler(seed=seed),
            warn_independent_sampling=False,
            seed=seed,
            consider_pruned_trials=False,
            popsize=self.population_size,
            use_separable_cma=self.options.variant == "separable" and len(self.parameters) > 1,
            with_margin=False,
            lr_adapt=self.options.variant == "adaptive",
            source_trials=None,
        )

    def point(self, relative: Mapping[str, Any]) -> Point:
        """Return the point with six digits, as notes hold it."""
        return {
            name: round(value, _DIGITS) if self.parameters[name] is FRACTION else value
            for name, value in relative.items()
        }

    def note(self, sampler: optuna.samplers.BaseSampler, point: Point) -> dict[str, Any]:
        """Return the point."""
        return {"point": point}

    def tell(self, trial: Trial) -> None:
        """Add the trial to the generation, and move the distribution when that is full."""
        self._tells += 1
        self._keys.add(self.problem.key_of(trial))
        self._generation.append(trial)
        if self.parameters and len(self._generation) == self.population_size:
            self._move()

    def _move(self) -> None:
        """Tell the sampler a generation. Optuna keeps the distribution in an attribute of a later trial; the only one.

        The attribute is written when that trial is asked for, so that is done at once, and its point thrown away.
        """
        order = sorted({trial.rank for trial in self._generation})
        for trial in self._generation:
            params, distributions = self._encoded(trial)
            self.told.add(_complete(params, distributions, order.index(trial.rank), self._mark))
        self._begin()
        self._generation.clear()

    def _begin(self) -> None:
        seed = derive_seed(self.problem.seed, "generation", self._tells) % 2**32
        sampler, asked = self.fresh_sampler(seed), self.told.asked()
        sampler.sample_relative(self.told.study(sampler), asked, self.parameters)
        written = dict(asked.system_attrs)
        self._mark = {name: value for name, value in written.items() if name.endswith(":generation")}
        self.told.trials.clear()
        self.told.add(_complete({}, {}, 0, {name: written[name] for name in written.keys() - self._mark.keys()}))


def _complete(
    params: Point, distributions: dict[str, BaseDistribution], value: float, attributes: dict[str, Any]
) -> FrozenTrial:
    return optuna.create_trial(
        state=OptunaState.COMPLETE,
        value=float(value),
        params=params,
        distributions=distributions,
        system_attrs=dict(attributes),
    )
