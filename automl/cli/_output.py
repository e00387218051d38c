"""What every command prints with: tables for people, JSON for programs, numbers for both."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPED_WIDTH = 200
_GAP = 3


def print_json(value: Mapping[str, Any]) -> None:
    """Print one JSON object on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False))


def console() -> Console:
    """Return the console on stdout: as wide as the terminal, and wide enough for whole lines where there is none."""
    is_piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_PIPED_WIDTH if is_piped else None, highlight=False, markup=False, emoji=False)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> Table:
    """Return a table; the columns named in ``right`` are aligned to the right. Cells are plain text, never markup.

    Columns without names make a table without a head.
    """
    made = Table(title=Text(title, style="bold") if title else None, title_justify="left", box=box.SIMPLE_HEAD)
    made.pad_edge = made.show_edge = False
    made.show_header = any(columns)
    for place, column in enumerate(columns):
        is_number = column in right
        made.add_column(Text(column), justify="right" if is_number else "left", no_wrap=is_number or not place)
    for row in rows:
        made.add_row(*map(Text, row))
    return made


def print_wide(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str]) -> None:
    """Print a table in parts where it is wider than the console, each with the first column, so that none is cut."""
    out = console()
    wide = [max(cell_len(text) for text in (column, *(row[n] for row in rows))) for n, column in enumerate(columns)]
    part, used = [0], wide[0]
    for place in range(1, len(columns)):
        if len(part) > 1 and used + wide[place] + _GAP > out.width:
            _print_part(out, title, part, columns, rows, right)
            title, part, used = "", [0], wide[0]
        part.append(place)
        used += wide[place] + _GAP
    _print_part(out, title, part, columns, rows, right)


def _print_part(
    out: Console,
    title: str,
    part: Sequence[int],
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: Sequence[str],
) -> None:
    if not title:
        out.print()
    out.print(table(title, [columns[n] for n in part], [[row[n] for n in part] for row in rows], right=right))


def number(value: float | None) -> str:
    """Return a metric as people read it.

    >>> number(0.98123), number(1234567.0), number(None), number(float("nan"))
    ('0.9812', '1,234,567', '', 'nan')
    """
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def plural(count: int, noun: str) -> str:
    """Return a count of something.

    >>> plural(1, "trial"), plural(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{count} {noun}" + ("" if count == 1 else "s")


def seconds(value: float | None) -> str:
    """Return a length of time.

    >>> seconds(4.25), seconds(75), seconds(7384), seconds(None)
    ('4.2 s', '1 min 15 s', '2 h 03 min', '')
    """
    if value is None:
        return ""
    if value < 60:
        return f"{value:.1f} s"
    if value < 3600:
        return f"{int(value) // 60} min {int(value) % 60:02d} s"
    return f"{int(value) // 3600} h {int(value) % 3600 // 60:02d} min"


def moment(since_epoch: float) -> str:
    """Return a point in time, in the local zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(since_epoch))
