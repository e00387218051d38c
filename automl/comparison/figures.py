"""The figures of a comparison by name, for the bands of a study file's ``[expect]``.

| figure | meaning |
|---|---|
| ``LABEL.mean@N``, ``.sd@N``, ``.median@N`` | the reported metric after N evaluations, over the seeds |
| ``LABEL.reached@N`` | share of the seeds whose incumbent had reached the target by N evaluations |
| ``LABEL.median_evaluations_to_target`` | over the seeds; ``inf`` when half of them or more never reached it |
| ``LABEL.rank``, ``.rank@N`` | average rank among the strategies at the end, after N; 1 is best |
| ``A-B.difference@N`` | mean difference of the reported metric, A minus B, paired by seed |
| ``A-B.p@N`` | p-value of Wilcoxon's signed-rank test, after Holm's correction over all that are tested against B |
| ``A-B.is_better@N``, ``.is_worse@N`` | 1 if A is significantly better (worse) than B at 5 %, by that test; else 0 |

N is any number of evaluations within the budget, whether or not the report shows it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.random import default_rng

from automl.comparison.curves import Curves, at_checkpoints, evaluations_to, values_after
from automl.comparison.statistics import paired_tests, ranks

_COUNT = re.compile(r"@([1-9]\d*)$")
_PER_COUNT = ("mean", "sd", "median", "rank")
_OF_TARGET = ("reached",)
_OF_PAIRS = ("difference", "p", "is_better", "is_worse")


def figure_names(labels: Sequence[str], counts: Iterable[int], *, has_target: bool) -> tuple[str, ...]:
    """Return the names of all figures of a comparison of ``labels`` after each of ``counts`` evaluations.

    >>> figure_names(["a"], [5], has_target=False)
    ('a.rank', 'a.mean@5', 'a.sd@5', 'a.median@5', 'a.rank@5')
    """
    return tuple(_names(labels, sorted(set(counts)), has_target))


def counts_in(names: Iterable[str], most: int | None) -> tuple[int, ...]:
    """Return the numbers of evaluations that figures are asked for at, ascending, up to ``most``.

    >>> counts_in(["a.mean@5", "a.rank", "b-a.p@500"], most=100)
    (5,)
    """
    found = {int(match[1]) for name in names if (match := _COUNT.search(name))}
    return tuple(sorted(count for count in found if most is None or count <= most))


def figures_of(curves: Sequence[Curves], counts: Iterable[int], target: float | None = None) -> Mapping[str, float]:
    """Return every figure of `figure_names` for finished curves.

    Args:
        curves: of each strategy, over the same seeds and of the same length.
        counts: numbers of evaluations, within the curves.
        target: value of the objective that counts as reaching it.

    Raises:
        UsageError: a number of evaluations is beyond the curves.
    """
    found: dict[str, float] = {}
    wanted = sorted(set(counts))
    for each in curves:
        if target is not None:
            reached = evaluations_to(each, target)
            found[f"{each.label}.median_evaluations_to_target"] = reached.median
            for count in wanted:
                found[f"{each.label}.reached@{count}"] = float(np.mean(np.array(reached.evaluations) <= count))
    found |= _ranks(curves, min(each.evaluations for each in curves), "")
    for count in wanted:
        found |= _after(curves, count)
        found |= _ranks(curves, count, f"@{count}")
    return found


def _after(curves: Sequence[Curves], count: int) -> dict[str, float]:
    """Return the figures of each strategy and each pair after ``count`` evaluations."""
    found: dict[str, float] = {}
    for each in curves:
        [point] = at_checkpoints(each, (count,))
        values = {"mean": point.mean, "sd": point.sd, "median": point.median}
        found |= {f"{each.label}.{kind}@{count}": value for kind, value in values.items()}
    table = np.stack([values_after(each, count) for each in curves])
    labels = [each.label for each in curves]
    for against in labels:
        # The bootstrap intervals of the tests are no figures, so one resample is enough, whatever it draws.
        for test in paired_tests(labels, table, curves[0].direction, default_rng(0), reference=against, resamples=1):
            pair = f"{test.first}-{test.second}"
            found[f"{pair}.difference@{count}"] = test.difference
            found[f"{pair}.p@{count}"] = test.p_adjusted
            found[f"{pair}.is_better@{count}"] = float(test.is_better())
            found[f"{pair}.is_worse@{count}"] = float(test.is_worse())
    return found


def _ranks(curves: Sequence[Curves], count: int, suffix: str) -> dict[str, float]:
    table = ranks(np.stack([values_after(each, count) for each in curves]), curves[0].direction)
    return {f"{each.label}.rank{suffix}": float(row.mean()) for each, row in zip(curves, table, strict=True)}


def _names(labels: Sequence[str], counts: Sequence[int], has_target: bool) -> Iterator[str]:
    kinds = (*_PER_COUNT, *(_OF_TARGET if has_target else ()))
    for label in labels:
        if has_target:
            yield f"{label}.median_evaluations_to_target"
        yield f"{label}.rank"
        yield from (f"{label}.{kind}@{count}" for count in counts for kind in kinds)
    for a, b in itertools.permutations(labels, 2):
        yield from (f"{a}-{b}.{kind}@{count}" for count in counts for kind in _OF_PAIRS)
