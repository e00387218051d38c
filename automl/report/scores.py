"""How well cheap scores rank architectures, where a study measured some: the figures of `automl correlate`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from automl.canvas import ImageFormat
from automl.correlation.definition import PROXIES, settings_of
from automl.correlation.picture import draw_correlations, draw_scatter
from automl.correlation.report import CorrelationReport, Finding, correlation_report
from automl.correlation.statistics import Estimate
from automl.definition import Correlation
from automl.errors import AutomlError
from automl.report.page import Block, Grid, Plot, Section, Text, Width
from automl.report.subject import Subject
from automl.words import plural

_STATUS = {"constant": "constant", "constant_metric": "the metric is constant", "too_few": "too few to rank"}
_ROLES = {"proxy": "score", "aggregate": "aggregate", "baseline": "counting", "reference": "beside the metric"}
_FEWER_RESAMPLES = 200


def scores_section(subject: Subject) -> Section | None:
    """Return the correlations of a study's scores with its metric; ``None`` where it measured no scores."""
    settings = _settings(subject)
    if settings is None:
        return None
    title = "How well cheap scores rank"
    try:
        report = correlation_report(subject.study, settings)
    except AutomlError as error:
        return Section(
            "scores", title, [Text(f"There are no correlations: {str(error).splitlines()[0]}.", is_note=True)]
        )
    return Section("scores", title, _blocks(report))


def _settings(subject: Subject) -> Correlation | None:
    definition = subject.definition
    if definition.correlation is not None:
        return settings_of(definition)
    if all(spec.name != PROXIES for spec in definition.evaluators):
        return None
    return settings_of(definition).model_copy(update={"resamples": _FEWER_RESAMPLES})


def _blocks(report: CorrelationReport) -> list[Block]:
    metric = report.sample.metric.name
    baseline = f"; orange is counting, of which {report.baseline} is the better" if report.baseline else ""
    rows = [_row(finding) for finding in report.findings]
    return [
        Text(
            f"{plural(len(report.findings), 'score')} against `{metric}` over "
            f"{plural(report.architectures, 'architecture')}. +1 is the order of the metric; a score that ranks no "
            "better than counting parameters or multiply-accumulates is worth no more than counting."
        ),
        Plot(
            "correlations",
            f"Rank correlation with {metric}: " + ", ".join(f"{row[0]} {row[2] or row[1]}" for row in rows),
            partial(_draw_correlations, report),
            f"Rank correlation with {metric}, with 95 % intervals{baseline}",
        ),
        Grid(
            ["score", "what", "ρ", "95 % interval", "τ", "used", "beyond counting"],
            rows,
            ["ρ", "95 % interval", "τ", "used"],
        ),
        Plot(
            "scatter",
            f"Each score against {metric}, an architecture a dot",
            partial(_draw_scatter, report),
            f"Each score against {metric}",
        ),
    ]


def _draw_correlations(report: CorrelationReport, image_format: ImageFormat, width: Width) -> bytes:
    return draw_correlations(report, image_format=image_format)


def _draw_scatter(report: CorrelationReport, image_format: ImageFormat, width: Width) -> bytes:
    return draw_scatter(report, image_format=image_format)


def _row(finding: Finding) -> Sequence[str]:
    rho, tau, gain = finding.spearman, finding.kendall, finding.gain
    what = _ROLES[finding.role] if finding.status == "ok" else _STATUS[finding.status]
    beyond = "" if gain is None or finding.role == "baseline" else "yes" if gain.lower > 0 else "not shown"
    return [finding.name, what, _signed(rho), _interval(rho), _signed(tau), f"{finding.used:,}", beyond]


def _signed(found: Estimate | None) -> str:
    return "" if found is None else f"{found.value:+.2f}".replace("-", "−")


def _interval(found: Estimate | None) -> str:
    return "" if found is None or found.lower != found.lower else f"{found.lower:.2f} to {found.upper:.2f}"
