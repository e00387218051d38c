"""The sample of a correlation: each architecture of a study with its metric and its scores, from the told trials alone.

An architecture is in the sample if its trial completed and has the metric. What is missing of a score is left out of
that score alone, and counted with the reason that the trial gives.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl.architecture import Architecture
from automl.cascade import Cascade
from automl.correlation.definition import BASELINES, owner_of
from automl.correlation.statistics import Floats
from automl.definition import Correlation
from automl.errors import AutomlError, UsageError, unknown_name
from automl.evaluator import Direction, Metric
from automl.plugins import registry
from automl.recipe import Recipe
from automl.space import GraphSpace
from automl.storage.records import TrialRecord
from automl.study import Study
from automl.trial import TrialState
from automl.variants import in_variant

Role: TypeAlias = Literal["proxy", "baseline", "aggregate", "reference"]

DEPTH = "depth"
"""Length of the longest path through the computed graph, for spaces whose networks are graphs."""

_REASON_WIDTH = 120
_MISSING = "not measured"
_SPREAD = "_spread"


class NothingToCorrelate(UsageError):
    """A study has no trial with the metric."""


@dataclass(frozen=True, eq=False, slots=True)
class Score:
    """One score of every architecture of a sample.

    Attributes:
        name: of its metric, or of the aggregator.
        role: ``proxy``; ``baseline`` (parameters, multiply-accumulates, depth); ``aggregate`` of other scores; or
            ``reference``, what the evaluator of the metric reports beside it, such as another accuracy.
        direction: which way it is read; baselines always as ``max``.
        values: `(architectures,)`, as measured; NaN where there is none.
        left_out: how many have none, by reason.
        seconds: `(architectures,)`, what it took, NaN where that is unknown.
        clock: metric that says the seconds; scores of one proxy have one.
    """

    name: str
    role: Role
    direction: Direction
    values: Floats
    left_out: Mapping[str, int]
    seconds: Floats
    clock: str = ""

    @property
    def is_known(self) -> NDArray[np.bool_]:
        """Which architectures have a value."""
        return np.isfinite(self.values)

    @property
    def oriented(self) -> Floats:
        """The values, larger being better."""
        return self.values if self.direction == "max" else -self.values


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """A metric and the scores to compare with it, over the same architectures, in the order of the trials.

    Attributes:
        metric: what scores are compared with.
        target: its values `(architectures,)`, all finite.
        scores: in the order in which evaluators declare them.
        numbers: of the trials.
        architectures: of the trials.
        failures: how many other trials there were, by what became of them.
    """

    metric: Metric
    target: Floats
    scores: tuple[Score, ...]
    numbers: tuple[int, ...]
    architectures: tuple[Architecture, ...]
    failures: Mapping[str, int]

    @property
    def oriented(self) -> Floats:
        """The metric, larger being better."""
        return self.target if self.metric.direction == "max" else -self.target

    def score(self, name: str) -> Score:
        """Return the score of that name."""
        return next(score for score in self.scores if score.name == name)


def sample_of(study: Study, settings: Correlation) -> Sample:
    """Return the sample of ``study``.

    Raises:
        NothingToCorrelate: no trial completed with the metric.
        UsageError: no evaluator reports it.
    """
    measured = study if settings.study is None else Study(study.store, settings.study)
    cascade = cascade_of(measured)
    metric = metric_of(measured, cascade, settings.metric)
    kept, failures = _rows(measured.records, metric.name, cascade)
    if not kept:
        raise NothingToCorrelate(_nothing(measured, metric.name, failures))
    target = np.array([record.metrics[metric.name] for record in kept])
    columns = _Columns(cascade, kept)
    if settings.study is not None:
        columns = _Columns(cascade_of(study), _joined(kept, study.records), beside=columns)
    scores = columns.scores(metric.name)
    architectures = tuple(Architecture.from_json(record.architecture) for record in kept)
    if _has_depth(cascade, metric.name) and all(score.name != DEPTH for score in scores):
        scores += (_depth(cascade, architectures),)
    return Sample(metric, target, scores, tuple(record.number for record in kept), architectures, failures)


def cascade_of(study: Study) -> Cascade:
    """Return the evaluators of a study, which say what they measure."""
    return Recipe.of(study.definition).cascade()


def metric_of(study: Study, cascade: Cascade, name: str | None = None) -> Metric:
    """Return the metric of that name, by default the study's first objective, read in the objective's direction.

    Raises:
        UsageError: no evaluator of the study reports it.
    """
    objective = study.goal.objectives[0]
    wanted, declared = name or objective.metric, cascade.declared()
    if wanted not in declared:
        known = [name for name, each in declared.items() if not each.is_measured]
        raise UsageError(unknown_name(f"metric of study {study.name}", wanted, known))
    found = declared[wanted]
    direction = objective.direction if wanted == objective.metric else found.direction
    return Metric(found.name, direction, found.unit, found.doc)


def score_names(cascade: Cascade, metric: str) -> tuple[str, ...]:
    """Return the names of the scores that evaluators declare beside ``metric``.

    What a clock measures is none, nor is the spread of another metric over repeats.
    """
    declared = cascade.declared()
    return tuple(
        name
        for name, each in declared.items()
        if name != metric
        and not each.is_measured
        and not each.is_simulated_time
        and name.removesuffix(_SPREAD) not in declared.keys() - {name}
    )


def all_score_names(cascade: Cascade, settings: Correlation, measured: Study | None = None) -> tuple[str, ...]:
    """Return the names of the scores that a report will have; ``measured`` is the study that has the metric."""
    metric = settings.metric or ""
    beside = () if measured is None else score_names(cascade_of(measured), metric)
    depth = (DEPTH,) if _has_depth(cascade, metric) else ()
    return tuple(dict.fromkeys((*score_names(cascade, metric), *beside, *depth)))


@dataclass(frozen=True)
class _Columns:
    """The scores that one study's evaluators declare, with those of ``beside`` that it has not."""

    cascade: Cascade
    records: Sequence[TrialRecord | None]
    beside: _Columns | None = None

    def scores(self, metric: str) -> tuple[Score, ...]:
        """Return them; ``metric`` is what they are compared with."""
        own = tuple(self._score(name, metric) for name in score_names(self.cascade, metric))
        if self.beside is None:
            return own
        names = {score.name for score in own}
        return (*own, *(score for score in self.beside.scores(metric) if score.name not in names))

    def _score(self, name: str, metric: str) -> Score:
        declared = self.cascade.declared()
        is_reference = metric in declared and owner_of(name, self.cascade) == owner_of(metric, self.cascade)
        role: Role = "baseline" if name in BASELINES else "reference" if is_reference else "proxy"
        direction = "max" if role == "baseline" else declared[name].direction
        time = self._time(name)
        nothing = np.full(len(self.records), math.nan)
        seconds = nothing if time is None else self._values(time)
        values = self._values(name)
        reasons = (
            _reason(record, name)
            for record, value in zip(self.records, values, strict=True)
            if not math.isfinite(value)
        )
        return Score(name, role, direction, values, _counted(reasons), seconds, time or "")

    def _values(self, name: str) -> Floats:
        found = np.array([math.nan if row is None else row.metrics.get(name, math.nan) for row in self.records])
        return np.where(np.isfinite(found), found, math.nan)

    def _time(self, name: str) -> str | None:
        """Return the metric that holds the seconds of a score: that of its proxy, or the only one of its evaluator."""
        owner = owner_of(name, self.cascade)
        stage = next(stage for stage in self.cascade.stages if stage.name == owner)
        variant = next((each for each in stage.variants if name.endswith(f".{each}")), "")
        plain = name.removesuffix(f".{variant}") if variant else name
        times = [
            each.name for each in stage.evaluator.metrics(self.cascade.task) if each.is_measured and each.unit == "s"
        ]
        own = [time for time in times if _is_of(plain, time.removesuffix("_time"))]
        clock = max(own, key=len) if own else times[0] if len(times) == 1 else None
        return in_variant(clock, variant) if clock and variant else clock


def _is_of(score: str, timed: str) -> bool:
    """Say whether a score belongs to what is timed: it begins with its name, or is a metric of the proxy so called."""
    if f"{score}_".startswith(f"{timed}_"):
        return True
    declared: Sequence[Metric] = ()
    with contextlib.suppress(AutomlError):  # what is timed need not be a proxy
        declared = registry().load("proxy", timed).declared
    return any(metric.name == score for metric in declared)


def _has_depth(cascade: Cascade, metric: str) -> bool:
    return isinstance(cascade.space, GraphSpace) and metric != DEPTH


def _depth(cascade: Cascade, architectures: Sequence[Architecture]) -> Score:
    import networkx as nx

    graphs = (cascade.space.computed_graph_of(architecture) for architecture in architectures)
    found = np.array([float(max(0, len(nx.dag_longest_path(graph)) - 1)) for graph in graphs])
    return Score(DEPTH, "baseline", "max", found, {}, np.full(len(found), math.nan))


def _rows(records: Iterable[TrialRecord], metric: str, cascade: Cascade) -> tuple[list[TrialRecord], Mapping[str, int]]:
    """Return the trials of the sample, each architecture once, and what became of the others."""
    kept: dict[str, TrialRecord] = {}
    others = []
    for record in records:
        if record.duplicate_of is not None or record.fidelity is not None or record.state == TrialState.RUNNING:
            continue
        value = record.metrics.get(metric, math.nan)
        if record.state == TrialState.COMPLETED and math.isfinite(value):
            is_own = cascade.identity == "architecture"
            key = str(Architecture.from_json(record.architecture)) if is_own else record.canonical_key
            kept.setdefault(key, record)
        else:
            others.append(f"{record.state}: {_ending(record) or f'no {metric}'}")
    return list(kept.values()), _counted(others)


def _ending(record: TrialRecord) -> str | None:
    """Return why a trial is not in the sample; of a rejected one only the rule, since each has a number of its own."""
    if record.error is None or record.state != TrialState.REJECTED:
        return record.error
    return re.split(r" = | \(", record.error, maxsplit=1)[0]


def _joined(kept: Sequence[TrialRecord], scored: Iterable[TrialRecord]) -> list[TrialRecord | None]:
    """Return for each trial the one of another study that has scored the same network."""
    found: dict[str, TrialRecord] = {}
    for record in scored:
        if record.state != TrialState.RUNNING and record.told_order is not None:
            found.setdefault(record.canonical_key, record)
    return [found.get(record.canonical_key) for record in kept]


def _reason(record: TrialRecord | None, name: str) -> str:
    """Return why a trial has no finite value of a score."""
    if record is None:
        return _MISSING
    if name in record.remarks:
        return record.remarks[name]
    if name in record.metrics:
        return f"not finite: {record.metrics[name]}"
    return record.error or _MISSING


def _counted(reasons: Iterable[str]) -> Mapping[str, int]:
    """Return how often each reason is given, the commonest first; only its first line, cut short."""
    lines = ((reason.splitlines() or [""])[0] for reason in reasons)
    short = (line if len(line) <= _REASON_WIDTH else f"{line[: _REASON_WIDTH - 1]}…" for line in lines)
    found = Counter(short)
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def _nothing(study: Study, metric: str, failures: Mapping[str, int]) -> str:
    if not failures:
        return f"study {study.name!r} has no completed trial yet; run it, or name another study"
    worst, count = next(iter(failures.items()))
    total = sum(failures.values())
    return f"study {study.name!r} has no trial with {metric}: of {total} others, {count} are {worst}"
