"""How a benchmark says what it found: a table for people, and one line of JSON."""

from __future__ import annotations

import json
import operator
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

_COMPARE = {"<=": operator.le, ">=": operator.ge}


def report(name: str, figures: Mapping[str, float], targets: Mapping[str, tuple[str, float]]) -> None:
    """Print figures beside their targets; ``"ok"`` says whether all are met."""
    table = Table("figure", "value", "target")
    for figure, value in figures.items():
        target = targets.get(figure)
        table.add_row(figure, f"{value:.3f}", f"{target[0]} {target[1]:g}" if target else "")
    Console().print(table)
    is_ok = all(_COMPARE[sign](figures[figure], bound) for figure, (sign, bound) in targets.items())
    rounded = {figure: round(value, 4) for figure, value in figures.items()}
    print(json.dumps({"benchmark": name, "figures": rounded, "targets": targets, "ok": is_ok}))
