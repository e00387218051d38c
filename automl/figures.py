"""The figures of a search by name, for the bands of a study file's ``[expect]``.

| figure | meaning |
|---|---|
| ``best.METRIC`` | a metric of the best trial; with several objectives its best value on the Pareto front |
| ``trials.STATE`` | trials that were completed, failed, rejected or pruned |
| ``trials.duplicates`` | trials answered by an earlier evaluation |
| ``front.size`` | members of the Pareto front; 1 with one objective, 0 if nothing is feasible |

A metric that nothing feasible has is NaN, which no band holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.evaluator import Metric
    from automl.study import Study

_STATES = ("completed", "failed", "rejected", "pruned", "duplicates")


def study_figure_names(metrics: Iterable[str]) -> tuple[str, ...]:
    """Return the names of the figures of a search whose evaluators declare ``metrics``.

    >>> study_figure_names(["params"])[-2:]
    ('front.size', 'best.params')
    """
    return (*(f"trials.{state}" for state in _STATES), "front.size", *(f"best.{metric}" for metric in metrics))


def study_figures(study: Study, metrics: Mapping[str, Metric]) -> Mapping[str, float]:
    """Return every figure of `study_figure_names`; ``metrics`` are those that its evaluators declare, by name."""
    counts, best = study.store.counts(study.record.id), study.best
    found = {f"trials.{state}": float(counts[state]) for state in _STATES}
    found["front.size"] = float(len(best))
    for name, metric in metrics.items():
        values = [value for trial in best if not math.isnan(value := trial.metrics.get(name, math.nan))]
        choose = max if metric.direction == "max" else min
        found[f"best.{name}"] = choose(values, default=math.nan)
    return found
