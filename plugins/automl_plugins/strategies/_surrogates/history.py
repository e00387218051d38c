"""What surrogate-guided strategies share: what was told, what to learn from it, and what to choose among."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import rankdata
from threadpoolctl import ThreadpoolController

from automl import Architecture, InvalidArchitecture, Problem, Trial

Target: TypeAlias = Literal["auto", "standardised", "log_error", "rank"]

_TRIES = 20
_PATIENCE = 30
_MAX_CACHED = 50_000


class History:
    """The told trials, and which architectures are no news.

    With ``problem.identity`` "architecture", as where a table lists isomorphic cells with values of their own, an
    architecture is known when its very record is; otherwise when its network is.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.trials: list[Trial] = []
        self._is_by_network = problem.identity == "network"
        self._known: set[str | Architecture] = set()
        self._keys: dict[Architecture, str] = {}

    def tell(self, trial: Trial) -> None:
        """Add a trial in a final state."""
        self.trials.append(trial)
        self._known.add(self._of(trial))

    def known(self, pending: Sequence[Trial] = ()) -> set[str | Architecture]:
        """Return the identities of what is told or pending."""
        return self._known.union(map(self._of, pending))

    def known_at(self, told: int) -> set[str | Architecture]:
        """Return the identities of the first ``told`` trials."""
        return {self._of(trial) for trial in self.trials[:told]}

    def identity(self, architecture: Architecture) -> str | Architecture:
        """Return what makes ``architecture`` known or new."""
        if not self._is_by_network:
            return architecture
        if architecture not in self._keys:
            if len(self._keys) >= _MAX_CACHED:
                self._keys.clear()
            self._keys[architecture] = self.problem.space.key(architecture)
        return self._keys[architecture]

    def training(self, told: int) -> list[Trial]:
        """Return the trials among the first ``told`` that hold a result of their own."""
        return [trial for trial in self.trials[:told] if trial.duplicate_of is None] or self.trials[:told]

    def sample(self, rng: Generator, pending: Sequence[Trial] = ()) -> Architecture:
        """Return a random architecture, new if that is found in a few tries."""
        known, space = self.known(pending), self.problem.space
        drawn = space.sample(rng)
        for _ in range(_TRIES):
            if self.identity(drawn) not in known:
                break
            drawn = space.sample(rng)
        return drawn

    def _of(self, trial: Trial) -> str | Architecture:
        return trial.key if self._is_by_network else trial.architecture


def mutations(
    history: History, told: int, rng: Generator, *, count: int, parents: int, enough: int
) -> list[Architecture]:
    """Return up to ``count`` new one-edit mutations of the best of the first ``told`` trials.

    The best gives what it can, until `_PATIENCE` draws in a row bring nothing new; then the second best, and so on, up
    to the ``parents``-th, and further while there are fewer than ``enough``.
    """
    seen, space = history.known_at(told), history.problem.space
    found = list[Architecture]()
    for number, parent in enumerate(sorted(history.training(told), key=lambda trial: trial.rank)):
        wanted = count if number < parents else enough
        failures = 0
        while len(found) < wanted and failures < _PATIENCE:
            try:
                child = space.mutate(parent.architecture, rng)
            except InvalidArchitecture:
                break
            identity = history.identity(child)
            failures = failures + 1 if identity in seen else 0
            if not failures:
                seen.add(identity)
                found.append(child)
    return found


def samples(history: History, told: int, rng: Generator, count: int) -> list[Architecture]:
    """Return up to ``count`` new, different, random architectures."""
    seen, found = history.known_at(told), list[Architecture]()
    for _ in range(count):
        drawn = history.problem.space.sample(rng)
        identity = history.identity(drawn)
        if identity not in seen:
            seen.add(identity)
            found.append(drawn)
    return found


def targets(trials: Sequence[Trial], how: Target, problem: Problem) -> NDArray[np.float64]:
    """Return what a surrogate learns, lower is better: `(trials,)`, mean 0 and standard deviation 1.

    * ``standardised``: the loss.
    * ``log_error``: log(error + 0.5) with the error of an accuracy in per cent: it spreads out the good ones.
    * ``rank``: normal scores of the order, infeasible and failed trials last; no scale is needed.
    * ``auto``: ``log_error`` where the objective is an accuracy to be maximised, else ``rank``.

    Trials that are infeasible, failed, were rejected or pruned count as the worst feasible one, so that a surrogate
    learns to keep away from them. Without any feasible trial the order is all there is.
    """
    losses = np.array([trial.losses[0] if trial.is_feasible else math.inf for trial in trials])
    scale = _accuracy_scale(problem, losses)
    if how == "auto":
        how = "rank" if scale is None else "log_error"
    is_finite = np.isfinite(losses)
    if how == "rank" or not is_finite.any():
        return _standardised(_normal_scores(trials))
    values = np.where(is_finite, losses, losses[is_finite].max())
    if how == "log_error":
        # An objective that is no accuracy has no known floor; the best told stands in for it, the median for the scale.
        spread = float(np.median(values) - values.min()) or 1.0
        error = 100 + 100 / scale * values if scale else 100 * (values - values.min()) / (10 * spread)
        values = np.log(np.maximum(error, 0.0) + 0.5)
    return _standardised(values)


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


def one_thread() -> AbstractContextManager[Any]:
    """Run linear algebra on one thread, so that sums are added in one order on every number of cores."""
    limited: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limited


def _accuracy_scale(problem: Problem, losses: NDArray[np.float64]) -> float | None:
    """Return what a perfect accuracy is, 100 or 1, or ``None`` if the objective is none."""
    objective = problem.goal.objectives[0]
    finite = -losses[np.isfinite(losses)]
    if objective.direction != "max" or "accuracy" not in objective.metric or not finite.size:
        return None
    if finite.min() < 0 or finite.max() > 100:
        return None
    return 100.0 if finite.max() > 1 else 1.0


def _normal_scores(trials: Sequence[Trial]) -> NDArray[np.float64]:
    """Return the standard normal quantile of (place − 1/2) / n; equal ranks share their mean place."""
    order = {rank: place for place, rank in enumerate(sorted({trial.rank for trial in trials}))}
    places = rankdata([order[trial.rank] for trial in trials])
    scores: NDArray[np.float64] = ndtri((places - 0.5) / len(trials))
    return scores


def _standardised(values: NDArray[np.float64]) -> NDArray[np.float64]:
    spread = float(values.std())
    result: NDArray[np.float64] = (values - values.mean()) / (spread if spread > 0 else 1.0)
    return result
