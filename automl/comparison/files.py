"""The files of a comparison's report: JSON for programs, CSV for spreadsheets, a picture for people.

| file | what it holds |
|---|---|
| `NAME.json` | the definition and every finding |
| `NAME.csv` | strategy, seed, evaluation, chosen, reported: one row per evaluation |
| `NAME-table.csv` | one row per strategy and checkpoint |
| `NAME.png` | median and quartiles of the best so far |
| `NAME-ranks.png` | average rank at the end and its interval |

Each appears whole or not at all. Of the same comparison the CSV files and the pictures are the same, byte for byte,
however often it was interrupted; the JSON also holds how long strategies took.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl.comparison.comparison import Comparison
from automl.comparison.picture import draw_curves, draw_ranks
from automl.comparison.report import ComparisonReport
from automl.errors import UsageError
from automl.runner import artifacts_folder

_TABLE = ("mean", "sd", "median", "lower", "upper")


def report_folder(comparison: Comparison) -> Path:
    """Return where the files go by default: a folder of the comparison's name beside the store."""
    return artifacts_folder(comparison.store.url).parent / comparison.name


def write_files(report: ComparisonReport, folder: Path) -> list[Path]:
    """Write the files of ``report`` into ``folder``, which is made when it is absent, and return their paths.

    Raises:
        UsageError: the folder cannot be written; says why.
    """
    name, control = report.name, report.definition.settings.control
    last = f"after {report.checkpoints[-1]:,} evaluations"
    contents = {
        f"{name}.json": (json.dumps(report_json(report), indent=2, allow_nan=False) + "\n").encode(),
        f"{name}.csv": csv_of(("strategy", "seed", "evaluation", "chosen", "reported"), _curve_rows(report)),
        f"{name}-table.csv": csv_of(("strategy", "evaluations", *_TABLE, "p_adjusted"), _table_rows(report)),
        f"{name}.png": draw_curves(list(report.curves.values()), title=name, metric=report.metric, control=control),
        f"{name}-ranks.png": draw_ranks(list(report.ranks.values()), title=f"{name}, {last}", control=control),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [write_whole(folder / file, content) for file, content in contents.items()]
    except OSError as error:
        raise UsageError(f"the report cannot be written to {folder}: {error.strerror}; name another --out") from None


def report_json(report: ComparisonReport) -> dict[str, Any]:
    """Return everything in ``report`` but the curves; what is no finite number is null."""
    strategies = []
    for each in report.definition.settings.strategies:
        reached = report.reached.get(each.label)
        strategies.append(
            {
                "label": each.label,
                "strategy": each.name,
                "options": each.options,
                **each.model_dump(mode="json", include=set(each.own)),
                "checkpoints": [asdict(value) for value in report.values[each.label]],
                "rank": {k: v for k, v in asdict(report.ranks[each.label]).items() if k != "label"},
                "ask_ms": 1000 * report.ask_seconds[each.label],
                "target": None if reached is None else asdict(reached),
            }
        )
    found: dict[str, Any] = plain(
        {
            "comparison": report.name,
            "is_complete": report.is_complete,
            "seeds": list(report.seeds),
            "seeds_planned": report.seeds_planned,
            "objective": report.objective,
            "metric": report.metric,
            "direction": report.direction,
            "target": report.definition.settings.target,
            "against": report.against,
            "checkpoints": list(report.checkpoints),
            "strategies": strategies,
            "tests": {str(n): [asdict(test) for test in tests.values()] for n, tests in report.tests.items()},
            "friedman": None if report.friedman is None else asdict(report.friedman),
            "definition": report.definition.to_json(),
        }
    )
    return found


def _curve_rows(report: ComparisonReport) -> Iterator[Sequence[object]]:
    for label, curves in report.curves.items():
        for row, seed in enumerate(curves.seeds):
            pairs = zip(curves.chosen[row].tolist(), curves.reported[row].tolist(), strict=True)
            for evaluation, (chosen, reported) in enumerate(pairs, 1):
                yield label, seed, evaluation, _cell(chosen), _cell(reported)


def _table_rows(report: ComparisonReport) -> Iterator[Sequence[object]]:
    for label, values in report.values.items():
        for value in values:
            test = report.tests[value.evaluations].get(label)
            numbers = [getattr(value, name) for name in _TABLE]
            yield label, value.evaluations, *map(_cell, [*numbers, math.nan if test is None else test.p_adjusted])


def _cell(value: float) -> str:
    """Return a number so that reading it gives the same one; nothing where there is no number."""
    return repr(value) if math.isfinite(value) else ""


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Return a file of comma-separated values with a head."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def plain(value: Any) -> Any:
    """Return ``value`` as JSON has it: no tuples, and null for numbers that are not finite."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file as a whole or not at all, and return its path."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path
