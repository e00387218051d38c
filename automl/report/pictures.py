"""The pictures of a report: best so far, trade-offs, importances. Each in a wide form and in one for phones.

Written with matplotlib's objects alone, so that no global figure or backend changes; nothing in a file depends on the
time of drawing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from automl.canvas import GREY, ImageFormat, blank_figure, file_of, make_plain
from automl.report.page import Width
from automl.report.svg import COLOURS, LINE, PAPER, SOFT

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES: Mapping[Width, float] = {"wide": 8.0, "narrow": 4.1}
_HEIGHTS: Mapping[Width, float] = {"wide": 3.9, "narrow": 3.3}
_ORDERS = 50
_FEW_DOTS, _MOST_DOTS = 120, 600
_LETTERS: Mapping[Width, int] = {"wide": 60, "narrow": 26}


@dataclass(frozen=True, slots=True)
class Line:
    """The best so far after each evaluation.

    Attributes:
        label: what it is called.
        values: the first is that after the first evaluation; NaN before anything was found.
        is_control: drawn in grey.
        band: lower and upper quartile, where the values are medians.
    """

    label: str
    values: Sequence[float]
    is_control: bool = False
    band: tuple[Sequence[float], Sequence[float]] | None = field(default=None)


def draw_lines(
    lines: Sequence[Line], dots: Sequence[float], metric: str, image_format: ImageFormat, width: Width
) -> bytes:
    """Return a picture of the best so far of several studies.

    Args:
        lines: at least one; the first is the study itself.
        dots: the value of each evaluation of the first, NaN where there is none; none are drawn if they are too many.
        metric: label of the vertical axis.
        image_format: of the file.
        width: which form.
    """
    figure, axes = _figure(width)
    colours = iter(COLOURS[place % len(COLOURS)] for place in range(len(lines)))
    if len(dots) <= _MOST_DOTS:
        axes.plot(
            range(1, len(dots) + 1),
            dots,
            "o",
            markersize=4.4 if len(dots) <= _FEW_DOTS else 2.8,
            color=COLOURS[0],
            alpha=0.35,
            markeredgewidth=0,
            zorder=1,
        )
    for line in lines:
        colour = GREY if line.is_control else next(colours)
        count = np.arange(1, len(line.values) + 1)
        if line.band is not None:
            low, high = line.band
            axes.fill_between(count, low, high, step="post", color=colour, alpha=0.16, linewidth=0, zorder=1)
        # A line ends with a level stretch, so that its last value is seen.
        axes.plot(
            [*count, len(count) + 0.5],
            [*line.values, *line.values[-1:]],
            color=colour,
            label=line.label,
            linewidth=1.5 if line.is_control else 2.0,
            drawstyle="steps-post",
            zorder=2 if line.is_control else 3,
        )
    _fit(axes, lines, dots)
    axes.set_xlabel("evaluations")
    axes.set_ylabel(metric)
    _legend(figure, axes)
    return file_of(figure, image_format)


def draw_front(
    front: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]],
    names: tuple[str, str],
    image_format: ImageFormat,
    width: Width,
    *,
    is_less_better: bool,
) -> bytes:
    """Return a picture of two objectives: the front with the numbers of its trials, and all other trials.

    Args:
        front: both objectives and the number of each trial, in the order of the first.
        others: both objectives of other trials.
        names: labels of the axes.
        image_format: of the file.
        width: which form.
        is_less_better: whether the objective across is minimised, which says where the front has its steps: between
            two trials it has reached what the better one by that objective has.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(width)
    if others:
        axes.plot(
            *zip(*others, strict=True),
            "o",
            markersize=4.2,
            color=GREY,
            alpha=0.5,
            markeredgewidth=0,
            label="other trials",
        )
    x, y = [point[0] for point in front], [point[1] for point in front]
    steps = "steps-post" if is_less_better else "steps-pre"
    axes.plot(x, y, "-", color=COLOURS[0], linewidth=1.0, alpha=0.6, drawstyle=steps)
    axes.plot(x, y, "o", markersize=6.5, color=COLOURS[0], markeredgecolor=PAPER, label="Pareto front (with trial)")
    every = max(1, math.ceil(len(front) / (14 if width == "wide" else 7)))
    for a, b, number in front[::every]:
        axes.annotate(number, (a, b), (4, 5), textcoords="offset points", fontsize=8, color=SOFT)
    values = [*x, *(point[0] for point in others)]
    if min(values) > 0 and max(values) > _ORDERS * min(values):
        axes.set_xscale("log")
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7 if width == "wide" else 4))
    axes.set_xlabel(names[0])
    axes.set_ylabel(names[1])
    _legend(figure, axes)
    return file_of(figure, image_format)


def draw_bars(bars: Sequence[tuple[str, float, str]], label: str, image_format: ImageFormat, width: Width) -> bytes:
    """Return a picture of horizontal bars, each with a name, a share and a group, which chooses the colour."""
    figure, axes = _figure(width, height=0.85 + 0.3 * len(bars) + 0.3)
    groups = list(dict.fromkeys(group for *_, group in bars))
    room = max(share for _, share, _ in bars)
    for place, (_, share, group) in enumerate(bars):
        colour = COLOURS[groups.index(group) % len(COLOURS)]
        seen = group if group not in [other for *_, other in bars[:place]] else None
        axes.barh(place, share, height=0.66, color=colour, linewidth=0, label=seen)
        axes.annotate(
            f"{share:.0%}", (share, place), (4, 0), textcoords="offset points", va="center", fontsize=8.5, color=SOFT
        )
    axes.set_yticks(range(len(bars)), [_short(name, _LETTERS[width]) for name, *_ in bars])
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.12 * room)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(label)
    if 1 < len(groups) <= len(COLOURS):
        _legend(figure, axes)
    return file_of(figure, image_format)


def _fit(axes: Axes, lines: Sequence[Line], dots: Sequence[float]) -> None:
    """Show the lines whole but for a bad start, and what dots there are beside them."""
    length = max(len(line.values) for line in lines)
    skipped = length // 50
    rows = [row[skipped:] for line in lines for row in (line.values, *(line.band or ()))]
    ends = np.array([value for row in rows for value in row if math.isfinite(value)])
    seen = np.array([value for value in dots if math.isfinite(value)])
    if not len(ends):
        return
    low, high = float(ends.min()), float(ends.max())
    if len(seen):
        inner = np.quantile(seen, (0.1, 0.9))
        low, high = min(low, float(inner[0])), max(high, float(inner[1]))
    room = 0.05 * (high - low) or 0.01 * max(1.0, abs(high))
    axes.set_ylim(low - room, high + room)
    axes.set_xlim(max(0.5, skipped + 0.5), length + 0.5)


def _figure(width: Width, height: float | None = None) -> tuple[Figure, Axes]:
    figure = blank_figure(_INCHES[width], height or _HEIGHTS[width], layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(PAPER)
    make_plain(axes)
    axes.grid(color=LINE, linewidth=0.6)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    """List what is drawn above the axes."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        longest = max(map(len, labels))
        across = max(1, min(len(labels), int(figure.get_figwidth() / (0.5 + 0.075 * longest))))
        figure.legend(
            handles,
            [_short(label, 44) for label in labels],
            loc="outside upper left",
            ncols=across,
            frameon=False,
            fontsize=9,
            handlelength=1.6,
            columnspacing=1.2,
        )


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
