"""A Gaussian process on a finite set of architectures, with nothing to fit but one hyperparameter from a short list.

The prior has mean 0 and variance 1, observations have noise of variance `NOISE`; so targets should be standardised.

[1] Rasmussen and Williams. Gaussian processes for machine learning. 2006. (Algorithm 2.1; Eq. 2.30.)
[2] Ru, Wan, Dong and Osborne. Interpretable neural architecture search via Bayesian optimisation with
    Weisfeiler-Lehman kernels. ICLR 2021.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.sparse import csr_array, diags_array
from scipy.spatial.distance import cdist

from automl import Architecture, SearchSpace
from automl_plugins.strategies._surrogates.encoding import (
    Columns,
    Features,
    hamming_features,
    matrix,
    weisfeiler_lehman_features,
)

Array = NDArray[np.float64]
Table: TypeAlias = Any  # what a kernel makes of features, and nobody else looks into

NOISE = 1e-3
BLOCK = 8


class Kernel(Protocol):
    """Covariances of architectures, 1 for equal ones, for each of a few hyperparameters."""

    grid: ClassVar[tuple[float, ...]]

    def features(self, space: SearchSpace[Any], architecture: Architecture) -> Features:
        """Return what the kernel sees of an architecture."""
        ...

    def table(self, rows: Sequence[Features], columns: Columns) -> Table:
        """Return the features of many architectures in the form that `covariances` takes."""
        ...

    def covariances(self, left: Table, right: Table, grid: Sequence[float]) -> list[Array]:
        """Return a `(left, right)` matrix for each hyperparameter of ``grid``.

        An entry depends on its two architectures alone, to the last bit of what precedes the exponential.
        """
        ...


class HammingKernel:
    """k = exp(−d/ℓ), with d the number of decisions that differ (`hamming_features`), for each ℓ of the grid.

    Positive definite, since d is an L1 distance.
    """

    grid: ClassVar[tuple[float, ...]] = (1.0, 2.0, 3.0, 4.5, 7.0)

    def features(self, space: SearchSpace[Any], architecture: Architecture) -> Features:
        """Return `hamming_features`."""
        return hamming_features(space.decisions(architecture), architecture)

    def table(self, rows: Sequence[Features], columns: Columns) -> Table:
        """Return the dense matrix."""
        return matrix(rows, columns)

    def covariances(self, left: Table, right: Table, grid: Sequence[float]) -> list[Array]:
        """Return exp(−d/ℓ) for each ℓ."""
        distances = cdist(left, right, "cityblock")
        return [np.exp(distances / -length) for length in grid]


class GraphKernel:
    """The normalised Weisfeiler-Lehman subtree kernel of [2]: the cosine of the counts of labelled neighbourhoods.

    The hyperparameter is the number of rounds. A table is one sparse matrix of unit rows per number of rounds.
    """

    grid: ClassVar[tuple[float, ...]] = (0.0, 1.0, 2.0, 3.0)

    def features(self, space: SearchSpace[Any], architecture: Architecture) -> Features:
        """Return `weisfeiler_lehman_features` of the network that is computed."""
        return weisfeiler_lehman_features(space.computed_graph_of(architecture), int(self.grid[-1]))

    def table(self, rows: Sequence[Features], columns: Columns) -> Table:
        """Return the sparse matrices of up to 0, 1, ... rounds; ``columns`` are sorted, so rounds are in order."""
        whole = _sparse(rows, columns)
        names = list(columns)
        ends = [bisect.bisect(names, f"{int(rounds) + 1}:") for rounds in self.grid]
        return [_unit_rows(whole[:, :end]) for end in ends]

    def covariances(self, left: Table, right: Table, grid: Sequence[float]) -> list[Array]:
        """Return the cosines for each number of rounds."""
        return [(left[int(rounds)] @ right[int(rounds)].T).toarray() for rounds in grid]


def log_likelihood(covariance: Array, targets: Array) -> float:
    """Return the log marginal likelihood of ``targets`` (Eq. 2.30 of [1]); noise is added to ``covariance``."""
    factor = cholesky(covariance + NOISE * np.eye(len(targets)), lower=True, check_finite=False)
    explained = cho_solve((factor, True), targets, check_finite=False)
    constant = 0.5 * len(targets) * math.log(2 * math.pi)
    return float(-0.5 * targets @ explained - np.log(np.diag(factor)).sum() - constant)


def likeliest(kernel: Kernel, table: Table, targets: Array) -> float:
    """Return the kernel's hyperparameter of the highest marginal likelihood; the first of equals."""
    covariances = kernel.covariances(table, table, kernel.grid)
    return kernel.grid[int(np.argmax([log_likelihood(covariance, targets) for covariance in covariances]))]


class Whitened:
    """L⁻¹K of observations against a pool, where K + noise = LLᵀ among the observations; grown by blocks.

    What `extended` returns depends on the blocks that it was grown by and on nothing else, to the last bit. Blocks are
    shared, never copied, so that the last few observations can be added again and again.

    >>> one = Whitened.empty(2).extended(np.empty((0, 1)), np.ones((1, 1)), np.array([[1.0, 0.0]]))
    >>> one.variance().round(3)
    array([0.001, 1.   ])
    """

    def __init__(self, factor: Array, blocks: tuple[NDArray[np.float32], ...], explained: Array) -> None:
        self.factor = factor
        self._blocks = blocks
        self._explained = explained

    @classmethod
    def empty(cls, pool: int) -> Whitened:
        """Return what is known without observations."""
        return cls(np.empty((0, 0)), (), np.zeros(pool))

    def extended(self, with_old: Array, among_new: Array, with_pool: Array) -> Whitened:
        """Return this with more observations.

        Args:
            with_old: covariances of the old with the new observations, `(old, new)`.
            among_new: covariances of the new observations, `(new, new)`, without noise.
            with_pool: covariances of the new observations with the pool, `(new, pool)`.
        """
        old, new = with_old.shape
        cross = solve_triangular(self.factor, with_old, lower=True, check_finite=False) if old else with_old
        corner = cholesky(among_new + NOISE * np.eye(new) - cross.T @ cross, lower=True, check_finite=False)
        factor = np.zeros((old + new, old + new))
        factor[:old, :old], factor[old:, :old], factor[old:, old:] = self.factor, cross.T, corner
        # Single precision suffices for the pool: its variances are not below the noise.
        unexplained = with_pool.astype(np.float32)
        for start, block in self._parts():
            unexplained -= cross[start : start + len(block)].T.astype(np.float32) @ block
        inverse = solve_triangular(corner, np.eye(new), lower=True, check_finite=False).astype(np.float32)
        added = inverse @ unexplained
        explained = self._explained + np.square(added).sum(axis=0, dtype=np.float64)
        return Whitened(factor, (*self._blocks, added), explained)

    def mean(self, targets: Array) -> Array:
        """Return the pool's posterior means given the targets of the first observations.

        Further observations are taken to be what the model expects of them: they change variances alone.
        """
        seen = len(targets)
        whitened = solve_triangular(self.factor[:seen, :seen], targets, lower=True, check_finite=False)
        means = np.zeros(len(self._explained))
        for start, block in self._parts():
            share = whitened[start : start + len(block)].astype(np.float32)
            means += share @ block[: len(share)]
        return means

    def variance(self) -> Array:
        """Return the pool's posterior variances, without the noise."""
        result: Array = np.maximum(1.0 - self._explained, 0.0)
        return result

    def _parts(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        start = 0
        for block in self._blocks:
            yield start, block
            start += len(block)


def _sparse(rows: Sequence[Features], columns: Columns) -> Any:
    """Return the `(rows, columns)` matrix with only the features that occur stored."""
    entries = [
        (i, columns[name], value) for i, row in enumerate(rows) for name, value in row.items() if name in columns
    ]
    where = [entry[0] for entry in entries], [entry[1] for entry in entries]
    return csr_array(([entry[2] for entry in entries], where), shape=(len(rows), len(columns)), dtype=np.float64)


def _unit_rows(table: Any) -> Any:
    """Return the rows at length 1; a row of zeros stays one."""
    lengths = np.sqrt(table.multiply(table).sum(axis=1))
    return diags_array(1 / np.where(lengths > 0, lengths, 1.0)) @ table
