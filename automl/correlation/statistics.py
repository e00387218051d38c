"""How alike do two scores rank the same architectures? Rank correlations, their intervals, and what the best share.

Every function takes scores as arrays `(architectures,)` that are **oriented**: larger is better. So +1 always means
"the same order as the metric", whatever direction the scores were declared in.

* Kendall's tau-b [1] and Spearman's rho with mid-ranks [2], which both allow for ties.
* Percentile intervals of a bootstrap over architectures [3]. A resample is a vector of counts, how often each
  architecture was drawn; all statistics are computed from counts, for all resamples at once. Columns of one sample are
  resampled together, so that differences between them are paired.
* Precision at k: the share of the k best by one score that are among the k best by the other, expected over a random
  order of ties.

A correlation with a constant is not defined. It is ``None`` here, and NaN only inside resamples, where it is left out.

[1] Kendall. The treatment of ties in ranking problems. 1945.
[2] Spearman. The proof and measurement of association between two things. 1904.
[3] Efron and Tibshirani. An introduction to the bootstrap. 1993. (Percentile intervals, section 13.3.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

Floats: TypeAlias = NDArray[np.float64]
Counts: TypeAlias = NDArray[np.int64]

CONFIDENCE = 0.95
LEAST = 3
"""Architectures below which no correlation is computed: with two, every order agrees or disagrees."""

_MATRIX_LIMIT = 2_000
"""Architectures up to which all pairs are held in a matrix; beyond, each resample is sorted by itself."""
_BLOCK = 500


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic and its bootstrap interval; the ends are NaN where too few resamples had a value.

    >>> Estimate(0.8, 0.7, 0.9).excludes_zero
    True
    """

    value: float
    lower: float
    upper: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero."""
        return self.lower > 0 or self.upper < 0


def kendall(first: Floats, second: Floats) -> float | None:
    """Return Kendall's tau-b; ``None`` if either score is constant or there are fewer than 3 architectures.

    >>> kendall(np.array([1.0, 2.0, 3.0, 4.0]), np.array([4.0, 3.0, 2.0, 1.0]))
    -1.0
    """
    if not is_defined(first, second):
        return None
    return float(stats.kendalltau(first, second).statistic)


def spearman(first: Floats, second: Floats) -> float | None:
    """Return Spearman's rho; ``None`` if either score is constant or there are fewer than 3 architectures.

    >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])), 6)
    0.5
    """
    if not is_defined(first, second):
        return None
    return float(np.corrcoef(stats.rankdata(first), stats.rankdata(second))[0, 1])


def is_defined(first: Floats, second: Floats) -> bool:
    """Say whether a correlation of the two is defined."""
    return len(first) >= LEAST and bool(np.ptp(first) > 0) and bool(np.ptp(second) > 0)


def resampled(architectures: int, resamples: int, rng: Generator) -> Counts:
    """Return how often each resample drew each architecture, `(resamples, architectures)`."""
    chances = np.full(architectures, 1 / architectures)
    return rng.multinomial(architectures, chances, size=resamples).astype(np.int64)


def kendall_resamples(first: Floats, second: Floats, counts: Counts) -> Floats:
    """Return tau-b in each resample, `(resamples,)`; NaN where a score is constant there.

    With counts c and signs a, b of the differences between two architectures, the numerator is the sum of
    c_i c_j a_ij b_ij over pairs, and each tie correction the sum of c_i c_j a_ij². These are quadratic forms in c, so
    that a matrix product computes them for all resamples. Copies of one architecture tie with each other in both.
    """
    if len(first) > _MATRIX_LIMIT:
        return _kendall_sorted(first, second, counts)
    drawn = counts.astype(np.float32)  # exact: all sums are whole numbers below 2²⁴
    a, b = (np.sign(scores[:, None] - scores[None, :]).astype(np.float32) for scores in (first, second))
    agree, untied, untied_too = (_forms(drawn, matrix) for matrix in (a * b, np.abs(a), np.abs(b)))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(agree / np.sqrt(untied * untied_too), dtype=float)


def spearman_resamples(first: Floats, second: Floats, counts: Counts) -> Floats:
    """Return rho in each resample, `(resamples,)`; NaN where a score is constant there.

    Ranks are taken anew within each resample.
    """
    found = []
    for start in range(0, len(counts), _BLOCK):
        drawn = counts[start : start + _BLOCK].astype(float)
        found.append(_weighted_pearson(_mid_ranks(first, drawn), _mid_ranks(second, drawn), drawn))
    return np.concatenate(found)


def interval(values: Floats, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the ends of the percentile interval; NaN when more than half of the resamples have no value."""
    known = values[np.isfinite(values)]
    if 2 * len(known) <= len(values):
        return math.nan, math.nan
    tail = (1 - confidence) / 2
    low, high = np.quantile(known, (tail, 1 - tail))
    return float(low), float(high)


def estimate(value: float | None, values: Callable[[], Floats]) -> Estimate | None:
    """Return ``value`` with its interval; ``None`` if it is not defined, and then ``values`` are not computed."""
    return None if value is None else Estimate(value, *interval(values()))


def top(scores: Floats, share: float) -> NDArray[np.bool_]:
    """Return which architectures are in the best ``share``, rounded up; those that tie with the last one are too.

    >>> top(np.array([1.0, 5.0, 4.0, 2.0]), 0.5).tolist()
    [False, True, True, False]
    """
    count = max(1, math.ceil(share * len(scores) - 1e-9))
    return np.asarray(scores >= np.sort(scores)[-count])


def precision_at(first: Floats, second: Floats, count: int) -> float:
    """Return the share of the ``count`` best by ``first`` that are among the ``count`` best by ``second``.

    Where architectures tie at the edge, it is the expectation over orders of the ties drawn independently for both.
    """
    return float(_membership(first, count) @ _membership(second, count) / count)


def count_of(size: str, architectures: int) -> int:
    """Return how many of ``architectures`` the size ``"20"`` or the share ``"10%"`` (rounded up) stands for.

    >>> count_of("10%", 42), count_of("20", 42), count_of("200", 42)
    (5, 20, 42)
    """
    share = size.endswith("%")
    count = math.ceil(float(size[:-1]) / 100 * architectures - 1e-9) if share else int(size)
    return min(max(1, count), architectures)


def _forms(drawn: NDArray[np.float32], matrix: NDArray[np.float32]) -> Floats:
    """Return the quadratic form of each row of ``drawn`` with a symmetric ``matrix``."""
    found: Floats = np.einsum("ri,ri->r", drawn @ matrix, drawn, dtype=np.float64)
    return found


def _kendall_sorted(first: Floats, second: Floats, counts: Counts) -> Floats:
    places = np.arange(len(first))
    found = np.empty(len(counts))
    for row, drawn in enumerate(counts):
        chosen = np.repeat(places, drawn)
        found[row] = math.nan
        if is_defined(first[chosen], second[chosen]):
            found[row] = stats.kendalltau(first[chosen], second[chosen]).statistic
    return found


def _mid_ranks(scores: Floats, drawn: Floats) -> Floats:
    """Return the mid-rank of each architecture within each resample, `(resamples, architectures)`."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    through = np.concatenate((np.zeros((len(drawn), 1)), np.cumsum(drawn[:, order], axis=1)), axis=1)
    first = np.searchsorted(ordered, ordered, side="left")
    last = np.searchsorted(ordered, ordered, side="right")
    found = np.empty_like(drawn)
    found[:, order] = (through[:, first] + through[:, last] + 1) / 2
    return found


def _weighted_pearson(first: Floats, second: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        a = first - (first * weights).sum(axis=1, keepdims=True) / total
        b = second - (second * weights).sum(axis=1, keepdims=True) / total
        product, a_square, b_square = ((weights * each).sum(axis=1) for each in (a * b, a * a, b * b))
        found = product / np.sqrt(a_square * b_square)
    is_constant = (a_square <= 0) | (b_square <= 0)
    return np.where(is_constant, math.nan, found)


def _membership(scores: Floats, count: int) -> Floats:
    """Return the chance of each architecture to be among the ``count`` best when ties are ordered at random."""
    edge = np.sort(scores)[-count]
    above, at = scores > edge, scores == edge
    return np.where(above, 1.0, np.where(at, (count - above.sum()) / at.sum(), 0.0))
