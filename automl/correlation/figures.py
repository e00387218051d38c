"""The figures of a correlation by name, for the bands of a study file's ``[expect]``.

| figure | meaning |
|---|---|
| ``spearman.SCORE``, ``kendall.SCORE`` | rank correlation with the metric, both read in their declared directions |
| ``top_decile_kendall.SCORE`` | tau-b among the best tenth by the metric |
| ``precision@K.SCORE`` | share of the K best by the score among the K best by the metric; K as in `precision_at` |
| ``gain.SCORE`` | rho less that of the better one of parameters and multiply-accumulates |
| ``is_better_than_counting.SCORE`` | 1 if the interval of that gain is above zero, else 0 |
| ``used.SCORE`` | architectures with the score |
| ``seconds.SCORE`` | median seconds per architecture |
| ``spearman_between.A.B``, ``kendall_between.A.B`` | rank correlation of two columns as measured, the metric included |
| ``architectures`` | size of the sample |

Besides there are the counts of any study: ``trials.completed`` and the like. What is not defined (a constant score) is
NaN, which no band holds. Published scores that an evaluator reports are columns like any other, so that
``spearman_between.naswot.published_naswot`` says whether two measurements of one proxy agree.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from automl.correlation.report import CorrelationReport, Finding
from automl.correlation.statistics import Estimate, Floats, kendall, spearman

_BETWEEN = {"spearman_between": spearman, "kendall_between": kendall}
_GAINS = ("gain", "is_better_than_counting")


def correlation_figure_names(scores: Sequence[str], metric: str, precision_at: Iterable[str]) -> tuple[str, ...]:
    """Return the names of all figures of a correlation of ``scores``, aggregates included, with ``metric``.

    >>> correlation_figure_names(["naswot"], "val_accuracy", ["10%"])[:3]
    ('architectures', 'spearman.naswot', 'kendall.naswot')
    """
    return tuple(_names(scores, (*scores, metric), tuple(precision_at)))


def correlation_figures(report: CorrelationReport) -> Mapping[str, float]:
    """Return every figure of `correlation_figure_names`."""
    found = {"architectures": float(report.architectures)}
    for finding in report.findings:
        found |= {f"{kind}.{finding.name}": value for kind, value in _of(finding, report.settings.precision_at)}
    columns: dict[str, Floats] = {score.name: score.values for score in report.sample.scores}
    columns[report.sample.metric.name] = report.sample.target
    known = {score.name: score.is_known for score in report.sample.scores}
    everything = np.ones(report.architectures, dtype=bool)
    for a, b in itertools.combinations(columns, 2):
        both = known.get(a, everything) & known.get(b, everything)
        for kind, correlate in _BETWEEN.items():
            value = correlate(columns[a][both], columns[b][both])
            found[f"{kind}.{a}.{b}"] = found[f"{kind}.{b}.{a}"] = math.nan if value is None else value
    return found


def _of(finding: Finding, precision_at: Sequence[str]) -> Iterator[tuple[str, float]]:
    yield "spearman", _value(finding.spearman)
    yield "kendall", _value(finding.kendall)
    yield "top_decile_kendall", _value(finding.top_kendall)
    for size in precision_at:
        yield f"precision@{size}", finding.precision.get(size, math.nan)
    yield "used", float(finding.used)
    yield "seconds", math.nan if finding.seconds is None else finding.seconds
    yield "gain", _value(finding.gain)
    yield "is_better_than_counting", float(finding.gain is not None and finding.gain.lower > 0)


def _names(scores: Sequence[str], columns: Sequence[str], precision_at: Sequence[str]) -> Iterator[str]:
    yield "architectures"
    kinds = ("spearman", "kendall", "top_decile_kendall", *(f"precision@{size}" for size in precision_at))
    for score in scores:
        yield from (f"{kind}.{score}" for kind in (*kinds, "used", "seconds", *_GAINS))
    for a, b in itertools.permutations(columns, 2):
        yield from (f"{kind}.{a}.{b}" for kind in _BETWEEN)


def _value(estimate: Estimate | None) -> float:
    return math.nan if estimate is None else estimate.value
