"""Anytime curves: what the best found so far was worth after each counted evaluation, one row per seed.

The incumbent is chosen by the objective, and the reported metric is that of the incumbent: what was chosen on
validation is reported on the test set, and the test set chooses nothing. A reported curve may therefore fall.

Arrays are `(seeds, evaluations)` floats; column 0 is the first evaluation. Before the first success a row holds NaN. A
run that is shorter than the others (its space was exhausted, its time spent) keeps its last value to the end, and
`Curves.lengths` says how far it went.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl.errors import UsageError

Direction: TypeAlias = Literal["max", "min"]
Floats: TypeAlias = NDArray[np.float64]
Which: TypeAlias = Literal["chosen", "reported"]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One run of a strategy: the values of its counted evaluations, in order.

    Attributes:
        seed: the study's seed.
        objective: the objective's value of each evaluation; not finite where the evaluation failed or is infeasible.
        reported: the reported metric of each evaluation; may be missing (NaN).
        ask_seconds: mean seconds per ask; NaN when nobody measured.
    """

    seed: int
    objective: Sequence[float]
    reported: Sequence[float]
    ask_seconds: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The incumbents of one strategy over several seeds.

    Attributes:
        label: what the strategy is called in tables and pictures.
        seeds: one per row, ascending.
        chosen: `(seeds, evaluations)`, the objective's value of the incumbent; never gets worse along a row.
        reported: `(seeds, evaluations)`, the reported metric of the same incumbent.
        direction: whether more or less is better, of both.
        ask_seconds: `(seeds,)`, mean seconds per ask.
        lengths: `(seeds,)`, evaluations that each run really made; beyond, its last value is repeated.
    """

    label: str
    seeds: tuple[int, ...]
    chosen: Floats
    reported: Floats
    direction: Direction
    ask_seconds: Floats
    lengths: NDArray[np.int64]

    @property
    def evaluations(self) -> int:
        """Length of the longest run."""
        return int(self.chosen.shape[1])

    @property
    def is_padded(self) -> NDArray[np.bool_]:
        """`(seeds,)`: whether the run is shorter than the curve."""
        return np.asarray(self.lengths < self.evaluations)

    def values(self, which: Which) -> Floats:
        """Return `chosen` or `reported`."""
        return self.chosen if which == "chosen" else self.reported


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A strategy after so many evaluations, over its seeds.

    ``mean`` and ``sd`` (of single runs, n - 1) are NaN when some seed has no value yet; ``median``, ``lower`` and
    ``upper`` (quartiles) count such seeds as the worst. ``short`` runs ended before this point.
    """

    evaluations: int
    mean: float
    sd: float
    median: float
    lower: float
    upper: float
    short: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """How soon a target was reached.

    Attributes:
        evaluations: one per seed, the count of the first evaluation after which the incumbent was at least as good as
            the target; ``inf`` where it never was (censored).
        median: over all seeds; ``inf`` when half of them or more never reached it.
        share: of the seeds that reached it.
    """

    evaluations: tuple[float, ...]
    median: float
    share: float


def incumbents(objective: Sequence[float], reported: Sequence[float], direction: Direction) -> tuple[Floats, Floats]:
    """Return the objective's value and the reported metric of the best so far, after each evaluation.

    A value that is not finite is a failure and never becomes the incumbent; of equal values the first stays.

    Raises:
        UsageError: the two differ in length.

    >>> chosen, reported = incumbents([1.0, 3.0, float("nan"), 2.0], [10.0, 20.0, 99.0, 30.0], "max")
    >>> chosen.tolist(), reported.tolist()
    ([1.0, 3.0, 3.0, 3.0], [10.0, 20.0, 20.0, 20.0])
    """
    if len(objective) != len(reported):
        raise UsageError(f"a run needs both values of each evaluation, but has {len(objective)} and {len(reported)}")
    values = np.asarray(objective, dtype=float)
    gains = np.where(np.isfinite(values), values if direction == "max" else -values, -np.inf)
    best = np.maximum.accumulate(gains) if len(gains) else gains
    is_new = np.isfinite(gains) & (gains > np.concatenate(([-np.inf], best[:-1])))
    holder = np.maximum.accumulate(np.where(is_new, np.arange(len(gains)), -1)) if len(gains) else np.zeros(0, int)
    known = holder >= 0
    return (
        np.where(known, values[holder], np.nan),
        np.where(known, np.asarray(reported, dtype=float)[holder], np.nan),
    )


def curves_of(label: str, runs: Sequence[Run], direction: Direction, evaluations: int | None = None) -> Curves:
    """Return the curves of a strategy's runs, ordered by seed.

    Args:
        label: name of the strategy.
        runs: one per seed.
        direction: of the objective and of the reported metric.
        evaluations: columns; by default the length of the longest run. Longer runs are cut, shorter ones padded.

    Raises:
        UsageError: there is no run, a run made no evaluation, or a seed occurs twice.
    """
    runs = sorted(runs, key=lambda run: run.seed)
    seeds = tuple(run.seed for run in runs)
    if not runs or len(set(seeds)) < len(seeds):
        raise UsageError(f"{label}: curves need one run per seed, but got seeds {list(seeds)}")
    empty = [run.seed for run in runs if not len(run.objective)]
    if empty:
        raise UsageError(f"{label}: the run of seed {empty[0]} made no evaluation; leave it out")
    columns = evaluations or max(len(run.objective) for run in runs)
    pairs = [incumbents(run.objective, run.reported, direction) for run in runs]
    return Curves(
        label,
        seeds,
        np.stack([_fitted(chosen, columns) for chosen, _ in pairs]),
        np.stack([_fitted(reported, columns) for _, reported in pairs]),
        direction,
        np.array([run.ask_seconds for run in runs], dtype=float),
        np.array([min(columns, len(run.objective)) for run in runs], dtype=np.int64),
    )


def quartiles(curves: Curves, which: Which = "reported") -> tuple[Floats, Floats, Floats]:
    """Return lower quartile, median and upper quartile over the seeds, each `(evaluations,)`.

    Seeds without a value yet count as the worst; a quartile that falls on one is NaN.
    """
    sign = 1.0 if curves.direction == "max" else -1.0
    gains = np.where(np.isnan(curves.values(which)), -np.inf, sign * curves.values(which))
    with np.errstate(invalid="ignore"):  # -inf - -inf between two seeds without a value
        low, middle, high = (
            np.where(np.isfinite(row), sign * row, np.nan) for row in np.quantile(gains, (0.25, 0.5, 0.75), axis=0)
        )
    return (low, middle, high) if sign > 0 else (high, middle, low)


def at_checkpoints(curves: Curves, evaluations: Sequence[int], which: Which = "reported") -> tuple[Checkpoint, ...]:
    """Return mean, standard deviation and quartiles after each number of ``evaluations``.

    Raises:
        UsageError: a checkpoint is below 1 or beyond the curves.
    """
    lower, median, upper = quartiles(curves, which)
    found = []
    for count in evaluations:
        column = values_after(curves, count, which)
        sd = float(np.std(column, ddof=1)) if len(column) > 1 else math.nan
        place, short = count - 1, int(np.sum(curves.lengths < count))
        spread = (float(median[place]), float(lower[place]), float(upper[place]))
        found.append(Checkpoint(count, float(np.mean(column)), sd, *spread, short))
    return tuple(found)


def values_after(curves: Curves, evaluations: int, which: Which = "reported") -> Floats:
    """Return `(seeds,)`, the values after so many evaluations; raises `UsageError` outside the curves."""
    if not 1 <= evaluations <= curves.evaluations:
        raise UsageError(f"{curves.label} has curves of {curves.evaluations} evaluations; got checkpoint {evaluations}")
    return curves.values(which)[:, evaluations - 1]


def evaluations_to(curves: Curves, target: float, which: Which = "chosen") -> Reached:
    """Return after how many evaluations each seed's incumbent was at least as good as ``target``, for the first time.

    Values within 1e-9 (relative) of the target count as reaching it, so that a target may be read off a table.
    """
    values = curves.values(which)
    slack = 1e-9 * max(1.0, abs(target))
    hit = values >= target - slack if curves.direction == "max" else values <= target + slack
    found = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1.0, math.inf)
    # The upper of the two middle seeds where their number is even: between a count and "never" there is no middle.
    ordered, count = np.sort(found), len(found)
    low, high = float(ordered[(count - 1) // 2]), float(ordered[count // 2])
    median = (low + high) / 2 if math.isfinite(high) else math.inf
    return Reached(tuple(map(float, found)), median, float(np.mean(np.isfinite(found))))


def _fitted(row: Floats, columns: int) -> Floats:
    """Return the row cut to ``columns``, or continued with its last value."""
    return np.concatenate([row[:columns], np.full(max(0, columns - len(row)), row[-1])])
