"""Are the differences between strategies more than luck? Ranks and paired tests over seeds.

Input is `values (strategies, seeds)`: what each strategy had reached with each seed at one budget. Strategies are
paired by seed: equal seeds draw the same random start where two start alike. NaN (nothing found) is the worst.

* Average ranks with a bootstrap over seeds [1], and Friedman's test that all strategies are alike [2].
* Wilcoxon's signed-rank test of two strategies [3]. Many seeds reach the optimum with both, so ties are the rule: zeros
  are ranked with the rest and then dropped, after Pratt [4], and the p-value is exact given the ties (the null
  distribution of all sign flips, by dynamic programming), where a normal approximation would be poor.
* Holm's correction for the number of tests [5].
* Effect sizes: mean difference with a paired bootstrap interval, and probability of superiority.

[1] Efron and Tibshirani. An introduction to the bootstrap. 1993. (Percentile intervals, section 13.3.)
[2] Demšar. Statistical comparisons of classifiers over multiple data sets. JMLR 2006.
[3] Wilcoxon. Individual comparisons by ranking methods. 1945.
[4] Pratt. Remarks on zeros and ties in the Wilcoxon signed rank procedures. 1959.
[5] Holm. A simple sequentially rejective multiple test procedure. 1979.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from scipy import stats

from automl.comparison.curves import Direction, Floats
from automl.errors import UsageError

ZERO_METHOD = "pratt"
RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class AverageRank:
    """Mean rank of a strategy over the seeds (1 is best, ties share), and its bootstrap interval."""

    label: str
    rank: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class PairedTest:
    """One strategy against another over the same seeds.

    Attributes:
        first: label of the strategy in question.
        second: label of what it is compared with.
        difference: mean of first minus second, in the units of the values; NaN where a seed has no value.
        lower: end of its paired bootstrap interval.
        upper: other end.
        superiority: share of the seeds on which ``first`` is better, ties counted half.
        wins: seeds on which ``first`` is better.
        ties: seeds on which both are equal.
        losses: seeds on which ``second`` is better.
        favours: 1 when the signed ranks favour ``first``, -1 when they favour ``second``, 0 when neither.
        p_value: two-sided, of Wilcoxon's signed-rank test with Pratt's zeros; 1 when all seeds tie.
        p_adjusted: after Holm's correction over the tests made together.
    """

    first: str
    second: str
    difference: float
    lower: float
    upper: float
    superiority: float
    wins: int
    ties: int
    losses: int
    favours: int
    p_value: float
    p_adjusted: float

    def is_better(self, level: float = 0.05) -> bool:
        """Say whether ``first`` is significantly better than ``second``."""
        return self.p_adjusted < level and self.favours > 0

    def is_worse(self, level: float = 0.05) -> bool:
        """Say whether ``first`` is significantly worse than ``second``."""
        return self.p_adjusted < level and self.favours < 0


@dataclass(frozen=True, slots=True)
class Friedman:
    """Friedman's test that all strategies are alike: chi-square with ``strategies - 1`` degrees of freedom."""

    statistic: float
    p_value: float


def ranks(values: Floats, direction: Direction) -> Floats:
    """Return the rank of each strategy within each seed, `(strategies, seeds)`; 1 is best, ties share their mean.

    >>> ranks(np.array([[3.0, 1.0], [2.0, 1.0]]), "max").tolist()
    [[1.0, 1.5], [2.0, 1.5]]
    """
    return np.asarray(stats.rankdata(-_gains(values, direction), axis=0), dtype=float)


def average_ranks(
    labels: Sequence[str],
    values: Floats,
    direction: Direction,
    rng: Generator,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[AverageRank, ...]:
    """Return the mean rank of each strategy, in the order of ``labels``.

    Args:
        labels: one per strategy.
        values: `(strategies, seeds)`.
        direction: whether more or less is better.
        rng: draws the resamples; seeds are drawn together for all strategies.
        resamples: of the bootstrap.
        confidence: of the percentile interval.

    Raises:
        UsageError: labels and values do not fit.
    """
    _check(labels, values)
    found = ranks(values, direction)
    spread = _interval(found, rng, resamples, confidence)
    return tuple(
        AverageRank(label, float(row.mean()), float(low), float(high))
        for label, row, low, high in zip(labels, found, *spread, strict=True)
    )


def paired_tests(
    labels: Sequence[str],
    values: Floats,
    direction: Direction,
    rng: Generator,
    *,
    reference: str | None = None,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
) -> tuple[PairedTest, ...]:
    """Test every pair of strategies, or every other strategy against ``reference``, with Holm's correction over all.

    Pairs come in the order of ``labels``; with a reference, it is the ``second`` of each.

    Raises:
        UsageError: labels and values do not fit, or the reference is none of the labels.
    """
    _check(labels, values)
    if reference is not None and reference not in labels:
        raise UsageError(f"the reference {reference!r} is none of the strategies compared: {', '.join(labels)}")
    pairs = list(itertools.combinations(labels, 2))
    if reference is not None:
        pairs = [(label, reference) for label in labels if label != reference]
    row = dict(zip(labels, np.asarray(values, dtype=float), strict=True))
    tests = [_paired(a, b, row[a], row[b], direction, rng, resamples, confidence) for a, b in pairs]
    adjusted = holm([test.p_value for test in tests])
    return tuple(replace(test, p_adjusted=p) for test, p in zip(tests, adjusted, strict=True))


def friedman(values: Floats, direction: Direction) -> Friedman | None:
    """Return Friedman's test over `values (strategies, seeds)`; ``None`` below three strategies or two seeds."""
    if len(values) < 3 or values.shape[1] < 2:
        return None
    gains = _gains(values, direction)
    if np.all(gains == gains[0]):
        return Friedman(0.0, 1.0)
    statistic, p_value = stats.friedmanchisquare(*ranks(values, direction))
    return Friedman(float(statistic), float(p_value))


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Return the p-values adjusted for making all of these tests: step-down, monotone, at most 1 [5].

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return tuple(adjusted)


def signed_rank(differences: Sequence[float] | Floats) -> tuple[int, float]:
    """Return which sign the ranks favour (1, 0, -1) and the two-sided p-value, exact given ties and zeros (Pratt).

    Under the null hypothesis each difference that is not zero has either sign with chance ½. The distribution of the
    positive ranks' sum follows by adding one rank at a time; ranks are doubled, so that shared ones are whole numbers.
    """
    found = np.asarray(differences, dtype=float)
    kept = found != 0
    if not kept.any():
        return 0, 1.0
    doubled = np.rint(2 * stats.rankdata(np.abs(found))[kept]).astype(int)
    chances = np.zeros(int(doubled.sum()) + 1)
    chances[0] = 1.0
    for rank in doubled:
        chances = (chances + np.concatenate((np.zeros(rank), chances[:-rank]))) / 2
    positive = int(doubled[found[kept] > 0].sum())
    tails = float(chances[: positive + 1].sum()), float(chances[positive:].sum())
    return int(np.sign(2 * positive - doubled.sum())), min(1.0, 2 * min(tails))


def _paired(
    first: str,
    second: str,
    ours: Floats,
    theirs: Floats,
    direction: Direction,
    rng: Generator,
    resamples: int,
    confidence: float,
) -> PairedTest:
    better, worse = _gains(ours, direction), _gains(theirs, direction)
    with np.errstate(invalid="ignore"):  # nothing found by either: a tie
        gaps = np.nan_to_num(better - worse, nan=0.0, posinf=math.inf, neginf=-math.inf)
    wins, losses = int(np.sum(gaps > 0)), int(np.sum(gaps < 0))
    ties, plain = len(gaps) - wins - losses, ours - theirs
    is_known = bool(np.all(np.isfinite(plain)))
    (low,), (high,) = _interval(plain[None], rng, resamples, confidence) if is_known else ([math.nan], [math.nan])
    favours, p_value = signed_rank(gaps)
    return PairedTest(
        first,
        second,
        float(plain.mean()),
        float(low),
        float(high),
        (wins + ties / 2) / len(gaps),
        wins,
        ties,
        losses,
        favours,
        p_value,
        p_value,
    )


def _interval(rows: Floats, rng: Generator, resamples: int, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of the bootstrap interval of each row's mean; all rows share the resampled seeds."""
    seeds = rows.shape[1]
    counts = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=resamples)
    means = counts @ rows.T / seeds
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, (tail, 1 - tail), axis=0)
    return low, high


def _gains(values: Floats, direction: Direction) -> Floats:
    """Return the values so that more is better and NaN is the worst."""
    found = np.asarray(values, dtype=float)
    return np.where(np.isnan(found), -np.inf, found if direction == "max" else -found)


def _check(labels: Sequence[str], values: Floats) -> None:
    shape = np.shape(values)
    if len(shape) != 2 or shape[0] != len(labels) or len(set(labels)) < len(labels) or shape[1] < 1:
        raise UsageError(
            f"a comparison needs one row of seeds per strategy, but got {len(labels)} strategies "
            f"({len(set(labels))} distinct) and values of shape {shape}"
        )
