"""How entries of a catalogue are listed, described and drawn."""

from __future__ import annotations

import math
from pathlib import Path

from automl.catalogue import Catalogue, Plot
from automl.cli._output import console, table
from automl.plugins import registry

_WIDTH, _HEIGHT = 72, 18
_MARKS = "●·"
_CLIP = 6.0
"""Curves are cut off where they leave ± as much: a pole or a power would flatten all the rest."""


def find_catalogue(text: str) -> str | None:
    """Return the name of the catalogue that ``text`` names, by its plural or its singular."""
    names = registry().names("catalogue")
    return next((name for name in names if text.lower() in (name, name.removesuffix("s"))), None)


def print_entries(name: str) -> None:
    """Print all entries of a catalogue."""
    rows = [[entry.name, entry.group, entry.summary] for entry in _load(name).entries()]
    console().print(table(f"{name.capitalize()} ({len(rows)})", ["name", "group", "what it is"], rows))


def print_page(name: str, entry: str, out: Path | None) -> None:
    """Print what is known of an entry, with its plot: as a picture into ``out``, or as text."""
    page = _load(name).page(entry)
    screen = console()
    screen.print(page.title, soft_wrap=True)
    screen.print()
    screen.print(table("", ["", ""], [[word, text] for word, text in page.facts]))
    if page.plot is None:
        return
    screen.print()
    if out is None:
        screen.print(text_plot(page.plot), soft_wrap=True)
        return
    write_plot(page.plot, page.title, out)
    screen.print(f"drawn in {out}", soft_wrap=True)


def text_plot(plot: Plot) -> str:
    """Return the curves in characters, with the least and greatest values beside them; the first curve on top."""
    shown = [value for curve in plot.curves.values() for value in curve if abs(value) <= _CLIP]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    high = high if high > low else low + 1
    left, right = plot.x[0], plot.x[-1]
    cells = [[" "] * _WIDTH for _ in range(_HEIGHT)]

    def row_of(value: float) -> int:
        return round((high - value) / (high - low) * (_HEIGHT - 1))

    if low <= 0 <= high:
        cells[row_of(0.0)] = ["─"] * _WIDTH
    if left <= 0 <= right:
        column = round(-left / (right - left) * (_WIDTH - 1))
        for row in cells:
            row[column] = "┼" if row[column] == "─" else "│"
    for mark, curve in reversed(list(zip(_MARKS, plot.curves.values(), strict=False))):
        for x, value in zip(plot.x, curve, strict=True):
            if math.isfinite(value) and low <= value <= high:
                cells[row_of(value)][round((x - left) / (right - left) * (_WIDTH - 1))] = mark
    labels = [f"{high:8.3g} ", *[" " * 9] * (_HEIGHT - 2), f"{low:8.3g} "]
    legend = "   ".join(f"{mark} {word}" for mark, word in zip(_MARKS, plot.curves, strict=False))
    lines = [(label + "".join(row)).rstrip() for label, row in zip(labels, cells, strict=True)]
    return "\n".join([*lines, f"{'':9}{left:<{_WIDTH // 2}g}{right:>{_WIDTH // 2}g}", f"{'':9}{legend}"])


def write_plot(plot: Plot, title: str, out: Path) -> None:
    """Draw the curves into a file whose ending says the format: PNG, SVG or PDF."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3.5), layout="constrained")
    axes = figure.subplots()
    for place, (word, curve) in enumerate(plot.curves.items()):
        axes.plot(plot.x, curve, label=word, linewidth=2 if not place else 1, linestyle="-" if not place else "--")
    shown = [value for curve in plot.curves.values() for value in curve if abs(value) <= _CLIP]
    if shown:
        axes.set_ylim(min(shown) - 0.2, max(shown) + 0.2)
    axes.axhline(0, color="grey", linewidth=0.5)
    axes.axvline(0, color="grey", linewidth=0.5)
    axes.set_title(title)
    axes.legend()
    figure.savefig(out, dpi=150)


def _load(name: str) -> Catalogue:
    made: Catalogue = registry().load("catalogue", name)()
    return made
