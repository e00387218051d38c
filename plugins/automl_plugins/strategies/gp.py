"""Strategy ``gp``: Bayesian optimisation with a Gaussian process on decisions or on graphs.

After ``initial`` random trials, every proposal has the highest expected improvement under a Gaussian process. A space
of up to ``whole_space`` architectures is looked at as a whole; of a larger one, one-edit mutations of the best and
random samples. One proposal in ten is random, so that a search whose model is wrong and sure of it goes on.

The kernel ``hamming`` is exp(−d/ℓ), with d the number of decisions that differ; ``graph`` is the normalised
Weisfeiler-Lehman subtree kernel of [1] on the network that is really computed, which sees through the many encodings of
one network. Noise is 1e-3 of the prior's variance. ℓ, from {1, 2, 3, 4.5, 7}, or the rounds of the graph kernel, from 0
to 3, have the highest marginal likelihood, anew for every proposal, and beyond 100 told trials at every tenth.

Pending trials are taken to have the results that the model expects of them, so that parallel workers spread out (the
"kriging believer" of [2]). Beyond ``max_points`` told trials the model learns from the best and the latest of them.

Where we deviate from [1]: no optimisation of kernel weights by gradient, no interpretation of features.

[1] Ru, Wan, Dong and Osborne. Interpretable neural architecture search via Bayesian optimisation with
    Weisfeiler-Lehman kernels (NAS-BOWL). ICLR 2021.
[2] Ginsbourger, Le Riche and Carraro. Kriging is well-suited to parallelize optimization. 2010.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import Field

from automl import (
    Architecture,
    BaseOptions,
    InvalidArchitecture,
    Problem,
    Proposal,
    SearchSpace,
    Strategy,
    Trial,
    derive_rng,
)
from automl_plugins.strategies._surrogates.acquisition import expected_improvement
from automl_plugins.strategies._surrogates.encoding import Columns, Features, columns_of
from automl_plugins.strategies._surrogates.gaussian_process import (
    BLOCK,
    GraphKernel,
    HammingKernel,
    Kernel,
    Table,
    Whitened,
    likeliest,
)
from automl_plugins.strategies._surrogates.history import History, Target, one_thread, targets

_NAME = "gp"
_MAX_CACHED = 50_000
_OFTEN = 100
_FRESH = 20
_SPACES: dict[tuple[type, str, type, int], Pool] = {}
_MAX_SPACES = 4


@dataclass(frozen=True, slots=True)
class Pool:
    """Architectures to choose among, and what the kernel sees of them."""

    architectures: Sequence[Architecture]
    columns: Columns
    table: Table


@dataclass(frozen=True, slots=True)
class Model:
    """A posterior over a pool after some told trials, before what is pending is added."""

    told: int
    pool: Pool
    hyperparameter: float
    points: Sequence[Features]
    whitened: Whitened
    mean: NDArray[np.float64]
    best: float


class Gp(Strategy):
    """Propose what a Gaussian process expects to improve most on the best."""

    paper = "Ru et al. Interpretable neural architecture search via Bayesian optimisation (NAS-BOWL). ICLR 2021."

    class Options(BaseOptions):
        """Options of the Gaussian process."""

        initial: Annotated[int, Field(ge=1)] = 10
        """Random trials before the model."""
        kernel: Literal["hamming", "graph"] = "hamming"
        """How alike architectures are: by the decisions that differ (`hamming`), or by the labelled neighbourhoods of
        the networks' graphs (`graph`, Weisfeiler-Lehman), which spaces without graphs have little use for."""
        target: Target = "auto"
        """What the model learns: the `standardised` loss, its `rank` (normal scores), `log_error` (the logarithm of the
        error of an accuracy), or `auto`: `log_error` for accuracies, `rank` for everything else."""
        random_share: Annotated[float, Field(ge=0, le=1)] = 0.1
        """Share of the proposals that are random."""
        whole_space: Annotated[int, Field(ge=0)] = 20_000
        """Spaces of at most so many architectures are looked at as a whole."""
        candidates: Annotated[int, Field(ge=2)] = 200
        """Candidates in a larger space: half mutations of the best, half random."""
        parents: Annotated[int, Field(ge=1)] = 5
        """Best trials that are mutated."""
        max_points: Annotated[int, Field(ge=10)] = 1000
        """Trials that the model learns from at most: the better half of the number, and the latest."""

    options: Options

    def __init__(self, problem: Problem, options: Options | None = None) -> None:
        super().__init__(problem, options)
        self.history = History(problem)
        self._kernel: Kernel = HammingKernel() if self.options.kernel == "hamming" else GraphKernel()
        self._seen: dict[Architecture, Features] = {}
        self._grown: dict[float, Whitened] = {}
        self._draws: dict[tuple[int, int | None], list[Architecture]] = {}
        self._model: Model | None = None
        self._chosen: tuple[int, float] = (-1, 0.0)

    def ask(self, rng: Generator, pending: Sequence[Trial]) -> Proposal:
        """Return a random architecture at first and now and then, else the one of highest expected improvement."""
        told, options = len(self.history.trials), self.options
        if told < options.initial or rng.random() < options.random_share:
            return Proposal(self.history.sample(rng, pending), note={"operator": "random"})
        with one_thread():
            model = self._fitted(told)
            worth = self._expected_improvements(model, pending)
        known = self.history.known(pending)
        for place in _descending(worth):
            architecture = model.pool.architectures[place]
            if self.history.identity(architecture) not in known:
                note = {"operator": "surrogate", "expected_improvement": float(worth[place])}
                return Proposal(architecture, note={**note, "hyperparameter": model.hyperparameter})
        note = {"operator": "random", "because": "no new candidate"}
        return Proposal(self.history.sample(rng, pending), note=note)

    def tell(self, trial: Trial) -> None:
        """Add the trial to what the model learns."""
        self.history.tell(trial)

    def _fitted(self, told: int) -> Model:
        """Return the model of the first ``told`` trials, a function of them and the study's seed; the last is kept."""
        if self._model is None or self._model.told != told:
            trials = self._training(told)
            wanted = targets(trials, self.options.target, self.problem)
            points = [self._features(trial.architecture) for trial in trials]
            whole = self._whole_space() if len(trials) < self.options.max_points else None
            if whole is not None and any(name not in whole.columns for point in points for name in point):
                whole = None
            pool = whole or self._candidates(told, points)
            chosen = self._hyperparameter(told)
            whitened = self._grow(pool, points, chosen) if whole else self._extend(None, pool, points, (), chosen)
            mean = whitened.mean(wanted)
            self._model = Model(told, pool, chosen, points, whitened, mean, float(wanted.min()))
        return self._model

    def _hyperparameter(self, told: int) -> float:
        """Return the likeliest; beyond `_OFTEN` told trials at every tenth, since it hardly changes any more."""
        step = 1 if told < _OFTEN else 10
        last = told // step * step
        if self._chosen[0] != last:
            trials = self._training(last)
            wanted = targets(trials, self.options.target, self.problem)
            points = [self._features(trial.architecture) for trial in trials]
            table = self._kernel.table(points, columns_of(points))
            self._chosen = (last, likeliest(self._kernel, table, wanted))
        return self._chosen[1]

    def _expected_improvements(self, model: Model, pending: Sequence[Trial]) -> NDArray[np.float64]:
        whitened = model.whitened
        if pending:
            # Features that neither the pool nor the told have are left out: they are none's business here.
            waiting = [self._features(trial.architecture) for trial in pending]
            whitened = self._extend(whitened, model.pool, waiting, model.points, model.hyperparameter)
        return expected_improvement(model.mean, np.sqrt(whitened.variance()), model.best)

    def _grow(self, pool: Pool, points: Sequence[Features], chosen: float) -> Whitened:
        """Return the posterior over the whole space; its full blocks are kept for the next time."""
        whitened = self._grown.get(chosen)
        for end in range(BLOCK, len(points) + 1, BLOCK):
            if whitened is None or len(whitened.factor) < end:
                start = end - BLOCK
                whitened = self._extend(whitened, pool, points[start:end], points[:start], chosen)
                self._grown[chosen] = whitened
        full = len(points) // BLOCK * BLOCK
        rest = points[full:]
        return self._extend(whitened, pool, rest, points[:full], chosen) if rest or whitened is None else whitened

    def _extend(
        self, whitened: Whitened | None, pool: Pool, new: Sequence[Features], old: Sequence[Features], chosen: float
    ) -> Whitened:
        kernel, count = self._kernel, len(old)
        table = kernel.table(new, pool.columns)
        (with_all,) = kernel.covariances(kernel.table([*old, *new], pool.columns), table, (chosen,))
        (with_pool,) = kernel.covariances(table, pool.table, (chosen,))
        before = whitened or Whitened.empty(len(pool.architectures))
        return before.extended(with_all[:count], with_all[count:], with_pool)

    def _training(self, told: int) -> list[Trial]:
        """Return the trials to learn from: all, or the best and the latest, in the told order."""
        trials, most = self.history.training(told), self.options.max_points
        if len(trials) <= most:
            return trials
        by_rank = sorted(range(len(trials)), key=lambda i: trials[i].rank)
        kept = {*by_rank[: most // 2], *range(len(trials) - (most - most // 2), len(trials))}
        return [trials[i] for i in sorted(kept)]

    def _features(self, architecture: Architecture) -> Features:
        if architecture not in self._seen:
            if len(self._seen) >= _MAX_CACHED:
                self._seen.clear()
            self._seen[architecture] = self._kernel.features(self.problem.space, architecture)
        return self._seen[architecture]

    def _candidates(self, told: int, points: Sequence[Features]) -> Pool:
        """Return mutations of the best and random architectures, drawn anew for every `_FRESH` told trials."""
        options, period = self.options, told // _FRESH
        share = max(1, options.candidates // (2 * options.parents))
        best = sorted(self.history.training(told), key=lambda trial: trial.rank)[: options.parents]
        found = [child for parent in best for child in self._drawn(period, share, parent)]
        found = list(dict.fromkeys([*found, *self._drawn(period, options.candidates // 2, None)]))
        features = [self._features(architecture) for architecture in found]
        columns = columns_of([*points, *features])
        return Pool(found, columns, self._kernel.table(features, columns))

    def _drawn(self, period: int, count: int, parent: Trial | None) -> list[Architecture]:
        """Return mutations of ``parent`` or, without one, samples: a function of the study's seed and the period."""
        place = (period, None if parent is None else parent.number)
        if place not in self._draws:
            self._draws = {known: drawn for known, drawn in self._draws.items() if known[0] == period}
            space, rng = self.problem.space, derive_rng(self.problem.seed, _NAME, *map(str, place))
            draw = space.sample if parent is None else partial(space.mutate, parent.architecture)
            with suppress(InvalidArchitecture):  # as when nothing of the parent can be changed
                self._draws[place] = [draw(rng) for _ in range(count)]
        return self._draws.get(place, [])

    def _whole_space(self) -> Pool | None:
        """Return all architectures, if they are few; listed once per process and space."""
        space, most = self.problem.space, self.options.whole_space
        place = (type(space), space.options.model_dump_json(), type(self._kernel), most)
        if place not in _SPACES:
            if len(_SPACES) >= _MAX_SPACES:
                _SPACES.clear()
            _SPACES[place] = _listed(space, self._kernel, most)
        pool = _SPACES[place]
        return pool if 0 < len(pool.architectures) <= most else None


def _descending(values: NDArray[np.float64]) -> Iterator[int]:
    """Yield the positions of the values, best first; the first of equals. Rarely more than a few are asked for."""
    left = values.copy()
    for _ in range(len(values)):
        place = int(left.argmax())
        yield place
        left[place] = -np.inf


def _listed(space: SearchSpace[Any], kernel: Kernel, most: int) -> Pool:
    """Return the architectures of a space, or an empty pool if they are more than ``most``."""
    if space.size() > most:
        return Pool((), {}, None)
    found = list(itertools.islice(space.enumerate(), most + 1))
    features = [kernel.features(space, architecture) for architecture in found]
    columns = columns_of(features)
    return Pool(found, columns, kernel.table(features, columns))
