"""Pictures of correlations: how well each score ranks, and each score against the metric, as PNG or SVG.

Parameters and multiply-accumulates are orange everywhere: a bar that does not reach beyond theirs is worth no more than
counting. What the evaluator of the metric reports beside it is grey. Written with matplotlib's objects alone, so that
no global figure or backend changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.canvas import GREY, INK, ImageFormat, blank_figure, file_of, make_plain
from automl.correlation.report import CorrelationReport, Finding
from automl.correlation.statistics import Estimate, Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PALE, _SOFT = "#d8d8d8", "#606060"
# Okabe and Ito: blue for scores, green for aggregates, orange for counting; distinct for the colour-blind.
_COLOURS = {"proxy": "#0072b2", "aggregate": "#009e73", "baseline": "#e69f00", "reference": GREY}
_MEANINGS = {"proxy": "score", "aggregate": "aggregate", "baseline": "counting", "reference": "beside the metric"}
_DASHES = (0, (4, 3))
_BAR = 0.36
_STRENGTH = 0.42
_ACROSS = 4
_WIDE = 1_000.0
_FAR = 3.0
_NAMES = {"ok": "", "constant": "constant", "constant_metric": "the metric is constant", "too_few": "too few"}


def draw_correlations(report: CorrelationReport, *, image_format: ImageFormat = "png") -> bytes:
    """Return a picture of rho and tau of every score with their intervals, best rho at the top."""
    findings = sorted(report.findings, key=_by_rho)
    figure = blank_figure(8.4, 1.7 + 0.42 * len(findings), layout="constrained")
    axes: Axes = figure.add_subplot()
    make_plain(axes)
    for place, finding in enumerate(findings):
        _draw_bars(axes, place, finding)
    axes.set_yticks(range(len(findings)), [finding.name for finding in findings])
    for label, finding in zip(axes.get_yticklabels(), findings, strict=True):
        label.set_color(INK if finding.role != "reference" else _SOFT)
        label.set_fontweight("bold" if finding.role == "baseline" else "normal")
    axes.set_ylim(len(findings) - 0.45, -0.55)
    _limit(axes, findings)
    axes.axvline(0, color=INK, linewidth=0.8, zorder=4)
    best = None if report.baseline is None else report.finding(report.baseline).spearman
    if best is not None:
        axes.axvline(best.value, color=_COLOURS["baseline"], linewidth=1.1, linestyle=_DASHES, zorder=2.5)
    axes.grid(axis="x", color=_PALE, linewidth=0.6)
    axes.set_xlabel(f"rank correlation with {report.sample.metric.name} (95 % intervals over architectures)")
    _legend(axes, {finding.role for finding in findings}, has_line=best is not None)
    _title(axes, report.name, f"{report.architectures:,} architectures; +1 is the same order as the metric")
    return file_of(figure, image_format)


def draw_scatter(report: CorrelationReport, *, image_format: ImageFormat = "png") -> bytes:
    """Return a picture with a panel per score, the metric upwards; axes that span orders of magnitude are logarithmic.

    Architectures that are far out, on either axis, are drawn hollow at the edge, so that the others can be told apart.
    What the metric's own evaluator reports beside it has no panel, unless there is nothing else.
    """
    findings = [each for each in report.findings if each.role != "reference"] or list(report.findings)
    findings = sorted(findings, key=_by_rho)
    across = min(_ACROSS, max(1, len(findings)))
    down = max(1, math.ceil(len(findings) / across))
    figure = blank_figure(0.6 + 2.75 * across, 0.7 + 2.55 * down, layout="constrained")
    panels = figure.subplots(down, across, squeeze=False, sharey=True).ravel()
    for axes, finding in zip(panels, findings, strict=False):
        make_plain(axes)
        _draw_panel(axes, report, finding)
    for axes in panels[len(findings) :]:
        axes.set_visible(False)
    for axes in panels[: len(findings) : across]:
        axes.set_ylabel(report.sample.metric.name, fontsize=9)
    title = f"{report.name}: {report.architectures:,} architectures; hollow at an edge: far beyond it"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    return file_of(figure, image_format)


def _draw_bars(axes: Axes, place: int, finding: Finding) -> None:
    colour = _COLOURS[finding.role]
    if finding.status != "ok":
        axes.annotate(
            _NAMES[finding.status], (0, place), (5, 0), textcoords="offset points", va="center", fontsize=8, color=_SOFT
        )
        return
    pairs = ((-_BAR / 2, colour, finding.spearman), (_BAR / 2, _pale(colour), finding.kendall))
    for shift, shade, found in pairs:
        if found is None:
            continue
        axes.barh(place + shift, found.value, height=_BAR, color=shade, linewidth=0, zorder=2)
        if math.isfinite(found.lower):
            ends = [found.lower, found.upper]
            axes.plot(ends, [place + shift] * 2, color=INK, linewidth=1.1, solid_capstyle="butt", zorder=3)


def _draw_panel(axes: Axes, report: CorrelationReport, finding: Finding) -> None:
    score = report.sample.score(finding.name)
    known = score.is_known
    x, y = score.values[known], report.sample.target[known]
    size, colour = 13 if len(x) <= 300 else 7, _COLOURS[finding.role]
    is_log = _spans_orders(x)
    (left, right), (low, high) = _bulk(x, is_log=is_log), _bulk(report.sample.target)
    inside = (x >= left) & (x <= right) & (y >= low) & (y <= high)
    axes.scatter(x[inside], y[inside], s=size, color=colour, alpha=0.45, linewidths=0)
    edge = np.clip(x[~inside], left, right), np.clip(y[~inside], low, high)
    axes.scatter(*edge, s=size, facecolors="none", edgecolors=colour, alpha=0.7, linewidths=0.7)
    _scale(axes, is_log=is_log, is_integer=bool(np.all(x == np.round(x))))
    axes.grid(color=_PALE, linewidth=0.5)
    axes.tick_params(labelsize=7.5)
    _caption(axes, finding, report.architectures - finding.used)


def _caption(axes: Axes, finding: Finding, missing: int) -> None:
    weight = "bold" if finding.role == "baseline" else "normal"
    axes.set_title(finding.name, loc="left", fontsize=9.5, color=INK, fontweight=weight, pad=15)
    text = f"ρ {_signed(finding.spearman)}   τ {_signed(finding.kendall)}" if finding.status == "ok" else ""
    less = "   less is better" if finding.direction == "min" else ""
    absent = f"   {missing:,} left out" if missing else ""
    shown = (text or _NAMES[finding.status]) + less + absent
    axes.annotate(shown, (0, 1), (0, 4), xycoords="axes fraction", textcoords="offset points", fontsize=8, color=_SOFT)


def _spans_orders(values: Floats) -> bool:
    """Say whether the middle nine tenths of positive values span three orders of magnitude."""
    if not len(values) or values.min() <= 0:
        return False
    low, high = np.quantile(values, (0.05, 0.95))
    return bool(high > _WIDE * low)


def _bulk(values: Floats, *, is_log: bool = False) -> tuple[float, float]:
    """Return the range that is shown: all values but those far out, beyond three interquartile ranges (Tukey)."""
    if not len(values):
        return 0.0, 1.0
    found = np.log(values) if is_log else values
    lower, upper = np.quantile(found, (0.25, 0.75))
    room = _FAR * (upper - lower) if upper > lower else math.inf
    kept = found[(found >= lower - room) & (found <= upper + room)]
    low, high = float(kept.min()), float(kept.max())
    return (math.exp(low) * (1 - 1e-9), math.exp(high) * (1 + 1e-9)) if is_log else (low, high)


def _scale(axes: Axes, *, is_log: bool, is_integer: bool) -> None:
    """Give an axis few ticks, or a logarithmic scale."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, ScalarFormatter

    if is_log:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(numticks=5))
        axes.xaxis.set_minor_locator(NullLocator())
        return
    axes.xaxis.set_major_locator(MaxNLocator(nbins=4, integer=is_integer))
    formatter = ScalarFormatter(useMathText=True)
    formatter.set_powerlimits((-3, 4))
    axes.xaxis.set_major_formatter(formatter)
    axes.xaxis.get_offset_text().set_fontsize(7.5)


def _limit(axes: Axes, findings: Sequence[Finding]) -> None:
    """Show the intervals whole, zero always, and never beyond -1 and 1."""
    ends = [0.0]
    for found in (each for finding in findings for each in (finding.spearman, finding.kendall)):
        ends += [end for end in (found.value, found.lower, found.upper) if math.isfinite(end)] if found else []
    low, high = min(ends), max(ends)
    axes.set_xlim(max(-1.02, low - 0.03 if low < 0 else -0.005), min(1.02, high + 0.03 if high > 0 else 0.005))


def _legend(axes: Axes, roles: set[str], *, has_line: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Any] = [Patch(color=_SOFT, label="Spearman ρ"), Patch(color=_pale(_SOFT), label="Kendall τ-b")]
    handles += [Patch(color=_COLOURS[role], label=_MEANINGS[role]) for role in _COLOURS if role in roles]
    if has_line:
        handles.append(
            Line2D([], [], color=_COLOURS["baseline"], linewidth=1.1, linestyle=_DASHES, label="better count")
        )
    axes.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        frameon=False,
        fontsize=8.5,
        borderaxespad=0,
        handlelength=1.4,
    )


def _pale(colour: str) -> str:
    """Return the colour mixed with white: what lies behind does not shine through."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(_STRENGTH * part + (1 - _STRENGTH) * 255):02x}" for part in parts)


def _title(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=20)
    axes.annotate(
        below, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, color=_SOFT
    )


def _by_rho(finding: Finding) -> tuple[bool, float, str]:
    rho = -2.0 if finding.spearman is None else finding.spearman.value
    return finding.role == "reference", -rho, finding.name


def _signed(found: Estimate | None) -> str:
    return "–" if found is None else f"{found.value:.2f}".replace("-", "−")
