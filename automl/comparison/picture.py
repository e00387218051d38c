"""Pictures of comparisons: anytime curves and average ranks, as PNG or SVG.

Lines are medians over the seeds and bands run from the lower to the upper quartile. Colours are told apart by the
colour-blind; line styles change when they run out. Random search, the control, is grey. Written with matplotlib's
objects alone, so that no global figure or backend changes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from automl.canvas import GREY, INK, ImageFormat, blank_figure, file_of, make_plain
from automl.comparison.curves import Curves, Which, quartiles
from automl.comparison.definition import CONTROL
from automl.comparison.statistics import AverageRank
from automl.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PALE = "#d8d8d8"
# Okabe and Ito's scheme without black, grey and yellow, and two dark ones of Paul Tol's: distinct for the colour-blind.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#332288", "#999933")
_STYLES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)))
_MOST_BANDS = 6
_MANY = 12


@dataclass(frozen=True, slots=True)
class _Look:
    colour: str
    style: Any
    is_control: bool


def draw_curves(
    curves: Sequence[Curves],
    *,
    title: str,
    metric: str,
    which: Which = "reported",
    log_x: bool = False,
    band: bool | None = None,
    optimum: float | None = None,
    start: int | None = None,
    control: str = CONTROL,
    image_format: ImageFormat = "png",
) -> bytes:
    """Return a picture of the best found after each evaluation, one line per strategy.

    Args:
        curves: one per strategy; colours follow their order, the legend the medians at the end, best first.
        title: one line above the picture.
        metric: label of the vertical axis.
        which: draw what was `reported` of the incumbent or its objective (`chosen`).
        log_x: draw evaluations on a logarithmic axis.
        band: whether to draw the interquartile bands; by default where there are at most six strategies.
        optimum: best possible value, drawn as a thin line.
        start: first evaluation on the axis; the first few would squash all that follows. By default a fiftieth of the
            longest run, at least 1.
        control: label of the strategy that is drawn in grey.
        image_format: ``png`` or ``svg``.

    Raises:
        UsageError: there is nothing to draw.
    """
    if not curves:
        raise UsageError("a picture needs at least one strategy")
    first = start or max(1, max(one.evaluations for one in curves) // 50)
    has_bands = len(curves) <= _MOST_BANDS if band is None else band
    figure, axes = _figure(9.2, 4.8 if len(curves) <= _MANY else 6.0)
    looks = _looks([one.label for one in curves], control)
    lines: list[tuple[Curves | None, Any]] = []
    for one, look in zip(curves, looks, strict=True):
        lines.append((one, _draw_line(axes, one, look, which, first, has_bands)))
    _frame(axes, curves, which, first, optimum, has_bands)
    if log_x:
        _log_axis(axes, first, max(one.evaluations for one in curves))
    if optimum is not None:
        lines.append((None, axes.axhline(optimum, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)))
    axes.set_xlabel("evaluations" + (" (logarithmic)" if log_x else ""))
    axes.set_ylabel(metric)
    spread = "median and quartiles" if has_bands else "median"
    _legend(axes, lines, which)
    _title(axes, title, f"best so far: {spread} of {_seeds(curves)}")
    return file_of(figure, image_format)


def draw_ranks(
    ranks: Sequence[AverageRank],
    *,
    title: str,
    alike: Collection[str] | None = None,
    control: str = CONTROL,
    image_format: ImageFormat = "png",
) -> bytes:
    """Return a picture of the average ranks with their confidence intervals, best at the top.

    Args:
        ranks: one per strategy.
        title: one line above the picture.
        alike: labels that the tests do not tell from the best; drawn filled like the best, the
            others hollow. Without them all are filled.
        control: label of the strategy that is drawn in grey.
        image_format: ``png`` or ``svg``.

    Raises:
        UsageError: there is nothing to draw.
    """
    from matplotlib.ticker import MaxNLocator

    if not ranks:
        raise UsageError("a picture needs at least one strategy")
    figure, axes = _figure(7.2, 1.5 + 0.3 * len(ranks))
    ordered = sorted(ranks, key=lambda one: one.rank)
    for place, one in enumerate(ordered):
        colour = GREY if one.label == control else _COLOURS[0]
        is_filled = alike is None or one.label in alike or place == 0
        axes.plot([one.lower, one.upper], [place, place], color=colour, linewidth=2, solid_capstyle="butt", zorder=2)
        face = colour if is_filled else "white"
        axes.plot([one.rank], [place], "o", markersize=7, markerfacecolor=face, markeredgecolor=colour, zorder=3)
        axes.annotate(
            f"{one.rank:.2f}", (one.upper, place), (6, 0), textcoords="offset points", va="center", fontsize=8.5
        )
    axes.set_yticks(range(len(ordered)), [one.label for one in ordered])
    axes.set_ylim(len(ordered) - 0.4, -0.6)
    axes.set_xlim(0.85, max(1.15, len(ordered) + 0.15))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", color=_PALE, linewidth=0.6)
    axes.set_xlabel("average rank over the seeds (1 is best)")
    _title(axes, title, "filled: not significantly worse than the best" if alike is not None else "")
    return file_of(figure, image_format)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = blank_figure(width, height, layout="constrained")
    axes = figure.add_subplot()
    make_plain(axes)
    return figure, axes


def _looks(labels: Sequence[str], control: str) -> list[_Look]:
    """Return colours and styles in the order of the labels: all colours in solid lines first, then dashed, dotted."""
    found, used = [], 0
    for label in labels:
        if label == control:
            found.append(_Look(GREY, "-", True))
            continue
        style = _STYLES[used // len(_COLOURS) % len(_STYLES)]
        found.append(_Look(_COLOURS[used % len(_COLOURS)], style, False))
        used += 1
    return found


def _draw_line(axes: Axes, curves: Curves, look: _Look, which: Which, first: int, has_band: bool) -> Any:
    low, middle, high = quartiles(curves, which)
    count = np.arange(1, curves.evaluations + 1)
    shown = slice(first - 1, None)
    if has_band:
        axes.fill_between(
            count[shown], low[shown], high[shown], step="post", color=look.colour, alpha=0.14, linewidth=0, zorder=1
        )
    (line,) = axes.plot(
        count[shown],
        middle[shown],
        color=look.colour,
        linestyle=look.style,
        linewidth=1.4 if look.is_control else 1.8,
        drawstyle="steps-post",
        zorder=2 if look.is_control else 3,
    )
    return line


def _frame(
    axes: Axes, curves: Sequence[Curves], which: Which, first: int, optimum: float | None, has_bands: bool
) -> None:
    """Fit the axes to what is drawn from ``first`` on."""
    rows = [row[first - 1 :] for one in curves for row in _drawn(one, which, has_bands)]
    values = np.concatenate([*rows, [] if optimum is None else [optimum]])
    values = values[np.isfinite(values)]
    if len(values):
        low, high = float(values.min()), float(values.max())
        room = 0.04 * (high - low) or 0.01 * max(1.0, abs(high))
        axes.set_ylim(low - room, high + room)
    axes.set_xlim(first, max(first + 1, *(one.evaluations for one in curves)))
    axes.grid(color=_PALE, linewidth=0.6)


def _drawn(curves: Curves, which: Which, has_bands: bool) -> list[Any]:
    low, middle, high = quartiles(curves, which)
    return [low, middle, high] if has_bands else [middle]


def _log_axis(axes: Axes, first: int, last: int) -> None:
    """Set a logarithmic axis with plain numbers: 10, 20, 50, 100, ... rather than powers."""
    from matplotlib.ticker import FixedLocator, NullLocator

    axes.set_xscale("log")
    ticks = [digit * 10**power for power in range(8) for digit in (1, 2, 5) if first <= digit * 10**power <= last]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlim(first, max(first + 1, last))


def _legend(axes: Axes, lines: Sequence[tuple[Curves | None, Any]], which: Which) -> None:
    """List the strategies beside the axes, best median at the end first, the optimum on top."""

    def place(item: tuple[Curves | None, Any]) -> float:
        if item[0] is None:
            return -np.inf
        end = float(quartiles(item[0], which)[1][-1])
        return np.inf if np.isnan(end) else -end if item[0].direction == "max" else end

    ordered = sorted(lines, key=place)
    axes.legend(
        [line for _, line in ordered],
        ["optimum" if one is None else one.label for one, _ in ordered],
        loc="upper left",
        bbox_to_anchor=(1.01, 1.01),
        frameon=False,
        fontsize=9,
        handlelength=2.6,
        borderaxespad=0,
        labelspacing=0.45,
    )


def _title(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, loc="left", fontsize=11, color=INK, pad=20 if below else 8)
    if below:
        axes.annotate(
            below, (0, 1), (0, 6), xycoords="axes fraction", textcoords="offset points", fontsize=8.5, color="#606060"
        )


def _seeds(curves: Sequence[Curves]) -> str:
    counts = sorted({len(one.seeds) for one in curves})
    return f"{counts[0]} seeds" if len(counts) == 1 else f"{counts[0]} to {counts[-1]} seeds"
