"""What every command prints with: tables for people, JSON for programs, numbers for both."""

from __future__ import annotations

import json
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

from automl.words import number as number
from automl.words import plural as plural
from automl.words import seconds as seconds

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


def moment(since_epoch: float) -> str:
    """Return a point in time, in the local zone."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(since_epoch))
