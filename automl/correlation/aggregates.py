"""Aggregates: scores that are made of others over the whole sample, such as a sum of ranks."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from automl.correlation.sample import Sample, Score
from automl.correlation.statistics import Floats
from automl.definition import ComponentSpec
from automl.errors import ConfigurationError, unknown_name
from automl.evaluator import Direction
from automl.options import parse_options
from automl.plugins import registry

if TYPE_CHECKING:
    from automl.proxies.aggregator import Aggregator


def aggregated(sample: Sample, specs: Sequence[ComponentSpec]) -> Sample:
    """Return ``sample`` with a score for each aggregator.

    An aggregator is given the scores that it is defined on, or else every proxy; the sample is its population.

    Raises:
        ConfigurationError: it does not fit these scores, or has the name of one.
    """
    scores = list(sample.scores)
    for spec in specs:
        name = name_of(spec)
        if name in {sample.metric.name, *(score.name for score in scores)}:
            raise ConfigurationError(f"the aggregate {name!r} has the name of another score; combine it only once")
        scores.append(_aggregate(name, made(spec), sample))
    return replace(sample, scores=tuple(scores))


def made(spec: ComponentSpec) -> Aggregator:
    """Return the aggregator that ``spec`` names; raises `ConfigurationError` for an unknown name or option."""
    component = registry().load("aggregator", spec.name)
    found: Aggregator = component(parse_options(component, spec.name, spec.options))
    return found


def check_aggregators(specs: Sequence[ComponentSpec], scores: Collection[str], metric: str) -> None:
    """Raise `ConfigurationError` at the first aggregator that will not fit ``scores``; asked before a study starts."""
    taken = {metric, *scores}
    for spec in specs:
        aggregator, name = made(spec), name_of(spec)
        if name in taken:
            raise ConfigurationError(f"the aggregate {name!r} has the name of another score; combine it only once")
        taken.add(name)
        for column in aggregator.columns:
            if column not in scores:
                raise ConfigurationError(f"aggregator {name!r}: {unknown_name('score', column, scores)}")


def name_of(spec: ComponentSpec) -> str:
    """Return what the score of an aggregator is called."""
    return spec.name.rpartition(":")[2]


def _aggregate(name: str, aggregator: Aggregator, sample: Sample) -> Score:
    scores = {score.name: score for score in sample.scores}
    offered = [score.name for score in sample.scores if score.role == "proxy"]
    missing = [column for column in aggregator.columns if column not in scores]
    chosen = {each: scores[each] for each in aggregator.columns or offered if each in scores}
    if missing or not chosen:
        what = f"the score {missing[0]!r}" if missing else "scores to combine"
        raise ConfigurationError(
            f"aggregator {name!r} needs {what}, which this study does not have; "
            "name the proxies that report what it combines"
        )
    columns = {each: score.values for each, score in chosen.items()}
    directions: dict[str, Direction] = {each: score.direction for each, score in chosen.items()}
    combined = np.asarray(aggregator.combine(columns, directions), dtype=float)
    is_known = np.logical_or.reduce([score.is_known for score in chosen.values()])
    values = np.where(is_known & np.isfinite(combined), combined, math.nan)
    unknown = int(np.isnan(values).sum())
    left_out = {"its scores give no value": unknown} if unknown else {}
    return Score(name, "aggregate", "max", values, left_out, total_seconds(tuple(chosen.values())))


def total_seconds(chosen: Sequence[Score]) -> Floats:
    """Return the sum of what the proxies of its scores take, each once, as far as that is known."""
    of_proxies = {score.clock or score.name: score.seconds for score in chosen}
    rows = np.stack(list(of_proxies.values()))
    is_known = np.isfinite(rows).any(axis=0)
    return np.where(is_known, np.nansum(rows, axis=0), math.nan)
