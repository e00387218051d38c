"""What a correlation found: how each score ranks the architectures of a sample, beside what counting alone would do.

The report is a function of the told trials and of the settings: resamples are drawn from a fixed seed. Every
correlation is signed so that +1 is "the same order as the metric when both are read in the direction that is declared
for them"; `Finding.raw_sign` gives the sign of the plain correlation. Parameters and multiply-accumulates are read as
"more is better".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np

from automl.correlation.definition import BASELINES, settings_of
from automl.correlation.sample import Role, Sample, Score, sample_of
from automl.correlation.statistics import (
    LEAST,
    Counts,
    Estimate,
    Floats,
    count_of,
    estimate,
    interval,
    is_defined,
    kendall,
    kendall_resamples,
    precision_at,
    resampled,
    spearman,
    spearman_resamples,
    top,
)
from automl.definition import Correlation
from automl.evaluator import Direction
from automl.seeds import derive_rng
from automl.study import Study

FindingStatus: TypeAlias = Literal["ok", "constant", "constant_metric", "too_few"]
"""Why there is no correlation: the score is the same for all, the metric is, or fewer than three have both."""

TOP = 0.1
"""Share of the best by the metric within which `Finding.top_kendall` is taken."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How one score ranks the sample.

    Attributes:
        name: of the score.
        role: see `automl.correlation.sample.Score`.
        direction: in which it is read.
        status: ``ok``, or why it has no correlations.
        used: architectures with both the score and the metric.
        left_out: those without, by reason.
        seconds: median seconds per architecture; ``None`` if unknown.
        kendall: tau-b against the metric.
        spearman: rho against the metric.
        raw_sign: +1 if plain, unsigned-by-direction correlations have the same sign as these, else -1.
        top_kendall: tau-b among the best tenth by the metric, resampled among these.
        precision: share of the k best by the score that are among the k best by the metric, by k as written.
        bias: rho against each baseline: parameters, multiply-accumulates, and depth where networks are graphs.
        gain: rho of this score less that of the better one of parameters and multiply-accumulates, over the same
            architectures and resamples.
    """

    name: str
    role: Role
    direction: Direction
    status: FindingStatus
    used: int
    left_out: Mapping[str, int]
    seconds: float | None
    kendall: Estimate | None
    spearman: Estimate | None
    raw_sign: int
    top_kendall: Estimate | None
    precision: Mapping[str, float]
    bias: Mapping[str, float | None]
    gain: Estimate | None


@dataclass(frozen=True, eq=False, slots=True)
class CorrelationReport:
    """The findings of a correlation.

    Attributes:
        name: of the study.
        state: of the study.
        sample: architectures, metric and scores.
        settings: what was asked for.
        findings: one per score: proxies, aggregates, baselines, then references; best rho first within each.
        baseline: the better one of parameters and multiply-accumulates by rho; ``None`` if there is neither.
        planned: size of the sample that was planned, if any.
    """

    name: str
    state: str
    sample: Sample
    settings: Correlation
    findings: tuple[Finding, ...]
    baseline: str | None
    planned: int | None

    @property
    def architectures(self) -> int:
        """How many architectures are in the sample."""
        return len(self.sample.target)

    def finding(self, name: str) -> Finding:
        """Return the finding on one score."""
        return next(each for each in self.findings if each.name == name)


def correlation_report(study: Study, settings: Correlation | None = None) -> CorrelationReport:
    """Return what the trials of ``study`` show, which need not be a correlation.

    Args:
        study: any study with completed trials.
        settings: what to report; by default as the study is defined.

    Raises:
        UsageError: it has no completed trial, or does not know the metric.
        ConfigurationError: its components are no longer installed, or an aggregator does not fit.
    """
    from automl.correlation.aggregates import aggregated

    chosen = settings or settings_of(study.definition)
    sample = aggregated(sample_of(study, chosen), chosen.aggregates)
    findings, baseline = findings_of(sample, chosen)
    return CorrelationReport(study.name, study.state.value, sample, chosen, findings, baseline, _planned(study, chosen))


def findings_of(sample: Sample, settings: Correlation) -> tuple[tuple[Finding, ...], str | None]:
    """Return a finding for each score of ``sample``, in the order of the report, and the better baseline."""
    counts = resampled(len(sample.target), settings.resamples, derive_rng(0, "correlation"))
    strengths = {each.name: _rho(each, sample) for each in sample.scores if each.name in BASELINES}
    known = {name: rho for name, rho in strengths.items() if rho is not None}
    best = max(known, key=lambda name: known[name]) if known else None
    found = [_finding(score, sample, settings, counts, best) for score in sample.scores]
    return tuple(sorted(found, key=_place)), best


def _finding(score: Score, sample: Sample, settings: Correlation, counts: Counts, best: str | None) -> Finding:
    known = score.is_known
    values, target = score.oriented[known], sample.oriented[known]
    drawn = counts[:, known]
    status = _status(values, target)
    seconds = score.seconds[np.isfinite(score.seconds)]
    return Finding(
        score.name,
        score.role,
        score.direction,
        status,
        len(values),
        score.left_out,
        float(np.median(seconds)) if len(seconds) else None,
        estimate(kendall(values, target), partial(kendall_resamples, values, target, drawn)),
        estimate(spearman(values, target), partial(spearman_resamples, values, target, drawn)),
        1 if score.direction == sample.metric.direction else -1,
        _top(values, target, settings.resamples),
        {size: _precision(values, target, size) for size in settings.precision_at} if status == "ok" else {},
        {each.name: _between(score, each) for each in sample.scores if each.role == "baseline"},
        _gain(score, sample, counts, best),
    )


def _status(values: Floats, target: Floats) -> FindingStatus:
    if len(values) < LEAST:
        return "too_few"
    if is_defined(values, target):
        return "ok"
    return "constant_metric" if np.ptp(target) == 0 else "constant"


def _top(values: Floats, target: Floats, resamples: int) -> Estimate | None:
    if len(values) < LEAST:
        return None
    chosen = top(target, TOP)
    some, wanted = values[chosen], target[chosen]

    def draw() -> Floats:
        return kendall_resamples(some, wanted, resampled(len(some), resamples, derive_rng(0, "correlation", "top")))

    return estimate(kendall(some, wanted), draw)


def _precision(values: Floats, target: Floats, size: str) -> float:
    return precision_at(values, target, count_of(size, len(values)))


def _between(score: Score, other: Score) -> float | None:
    both = score.is_known & other.is_known
    return spearman(score.oriented[both], other.oriented[both])


def _rho(score: Score, sample: Sample) -> float | None:
    return spearman(score.oriented[score.is_known], sample.oriented[score.is_known])


def _gain(score: Score, sample: Sample, counts: Counts, best: str | None) -> Estimate | None:
    """Return how much better ``score`` ranks than the better baseline, paired over architectures."""
    if best is None or score.role == "baseline":
        return None
    other = sample.score(best)
    both = score.is_known & other.is_known
    target, drawn = sample.oriented[both], counts[:, both]
    ours, theirs = score.oriented[both], other.oriented[both]
    mine, counted = spearman(ours, target), spearman(theirs, target)
    if mine is None or counted is None:
        return None
    resamples: Callable[[Floats], Floats] = lambda values: spearman_resamples(values, target, drawn)  # noqa: E731
    return Estimate(mine - counted, *interval(resamples(ours) - resamples(theirs)))


def _place(finding: Finding) -> tuple[Any, ...]:
    roles = ("proxy", "aggregate", "baseline", "reference")
    rho = -2.0 if finding.spearman is None else finding.spearman.value
    return roles.index(finding.role), -rho, finding.name


def _planned(study: Study, settings: Correlation) -> int | None:
    return None if study.definition.correlation is None or settings.study else study.record.trials_budget
