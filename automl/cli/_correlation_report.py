"""The tables of a correlation's report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from automl.cli._output import console, plural, print_wide
from automl.correlation.definition import BASELINES
from automl.correlation.report import CorrelationReport, Finding
from automl.correlation.statistics import Estimate

_NONE = "–"
_STATUS = {
    "constant": "constant",
    "constant_metric": "the metric is constant",
    "too_few": "too few to rank",
}
_ROLES = {"proxy": "", "aggregate": "aggregate", "baseline": "counting", "reference": "beside the metric"}
_REASONS = 6


def print_correlation(report: CorrelationReport, files: Sequence[Path]) -> None:
    """Print how each score ranks the sample, what it has in common with counting, and where the files are."""
    out = console()
    out.print(_summary(report), soft_wrap=True)
    out.print()
    _print_ranks(report)
    out.print()
    _print_shares(report)
    out.print()
    for line in _remarks(report):
        out.print(line, soft_wrap=True)
    folder = files[0].parent
    out.print(f"files in {folder}: {', '.join(path.name for path in files)}", soft_wrap=True)


def _summary(report: CorrelationReport) -> str:
    amount = plural(report.architectures, "architecture")
    better = "higher" if report.sample.metric.direction == "max" else "lower"
    scores = plural(len(report.findings), "score")
    return f"{report.name}: {scores} against {report.sample.metric.name} ({better} is better), {amount}"


def _print_ranks(report: CorrelationReport) -> None:
    columns = ["ρ", "95 % interval", "τ", "95 % interval ", "τ of the best tenth", "used", "s each"]
    rows = []
    for finding in report.findings:
        cells = [_STATUS[finding.status], *[_NONE] * 4] if finding.status != "ok" else _correlations(finding)
        time = _NONE if finding.seconds is None else f"{finding.seconds:.3g}"
        rows.append([finding.name, *cells, f"{finding.used:,}", time, _ROLES[finding.role], _verdict(finding)])
    against = f"against {report.baseline}" if report.baseline else ""
    title = f"rank correlation with {report.sample.metric.name}; + is its order"
    print_wide(title, ["score", *columns, "", against], rows, right=columns)


def _correlations(finding: Finding) -> list[str]:
    parts = [*_value_and_interval(finding.spearman), *_value_and_interval(finding.kendall)]
    return [*parts, _NONE if finding.top_kendall is None else f"{finding.top_kendall.value:+.2f}"]


def _print_shares(report: CorrelationReport) -> None:
    sizes = [f"of {size}" for size in report.settings.precision_at]
    baselines = [finding.name for finding in report.findings if finding.role == "baseline"]
    biases = [f"ρ with {name}" for name in baselines]
    gain = [f"ρ more than {report.baseline}", "95 % interval"] if report.baseline else []
    rows = []
    for finding in report.findings:
        shares = [_share(finding.precision.get(size)) for size in report.settings.precision_at]
        alike = [_signed(finding.bias.get(name)) for name in baselines]
        rows.append([finding.name, *shares, *alike, *(_value_and_interval(finding.gain) if gain else [])])
    columns = [*sizes, *biases, *gain]
    best = f"share of the best by each score that are of the best by {report.sample.metric.name}"
    title = f"{best}; what each has in common with counting"
    print_wide(title, ["score", *columns], rows, right=columns)


def _verdict(finding: Finding) -> str:
    if finding.gain is None or math.isnan(finding.gain.lower):
        return ""
    if not finding.gain.excludes_zero:
        return "no difference shown"
    return "better" if finding.gain.lower > 0 else "worse"


def _remarks(report: CorrelationReport) -> list[str]:
    lines = []
    if report.planned is not None and report.architectures < report.planned:
        lines.append(f"{report.architectures} of {report.planned} that were planned are in the sample ({report.state})")
    if report.sample.failures:
        total = sum(report.sample.failures.values())
        lines.append(f"{plural(total, 'other trial')}: {_reasons(report.sample.failures)}")
    for finding in report.findings:
        if finding.left_out:
            lines.append(f"{finding.name} has no value for {_reasons(finding.left_out)}")
    less = [each.name for each in report.findings if each.direction == "min"]
    if less:
        lines.append(f"less is better of {', '.join(less)}: the sign of a plain correlation is turned")
    if report.baseline is None and not any(each.name in BASELINES and each.used for each in report.findings):
        lines.append("parameters and multiply-accumulates were not measured: nothing says what counting alone is worth")
    return lines


def _reasons(counted: Mapping[str, int]) -> str:
    shown = [f"{count} ({reason})" for reason, count in list(counted.items())[:_REASONS]]
    more = len(counted) - len(shown)
    return "; ".join([*shown, *([f"and {plural(more, 'other reason')}"] if more else [])])


def _value_and_interval(found: Estimate | None) -> list[str]:
    if found is None:
        return [_NONE, _NONE]
    spread = _NONE if math.isnan(found.lower) else f"{found.lower:+.3f} to {found.upper:+.3f}"
    return [f"{found.value:+.3f}", spread]


def _share(value: float | None) -> str:
    return _NONE if value is None else f"{100 * value:.0f} %"


def _signed(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.2f}"
