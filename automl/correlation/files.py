"""The files of a correlation's report: JSON for programs, CSV for spreadsheets, pictures for people.

| file | what it holds |
|---|---|
| `NAME.json` | the settings and every finding |
| `NAME.csv` | trial, architecture, the metric and every score: one row per architecture |
| `NAME-correlations.csv` | one row per score |
| `NAME.png` | rho and tau of each score with their intervals, parameters and multiply-accumulates marked |
| `NAME-scatter.png` | each score against the metric |

Each appears whole or not at all. Of the same sample they are the same, however often it was interrupted, but for the
seconds, which a clock measured.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from automl.comparison.files import csv_of, plain, write_whole
from automl.correlation.picture import draw_correlations, draw_scatter
from automl.correlation.report import CorrelationReport, Finding
from automl.correlation.statistics import Estimate
from automl.errors import UsageError
from automl.runner import artifacts_folder
from automl.study import Study

_ESTIMATES = ("spearman", "kendall", "top_kendall", "gain")


def correlation_folder(study: Study) -> Path:
    """Return where the files go by default: a folder of the study's name beside the store."""
    return artifacts_folder(study.store.url).parent / study.name


def write_correlation(report: CorrelationReport, folder: Path) -> list[Path]:
    """Write the files of ``report`` into ``folder``, which is made when it is absent, and return their paths.

    Raises:
        UsageError: the folder cannot be written; says why.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [write_whole(folder / file, content) for file, content in correlation_files(report).items()]
    except OSError as error:
        raise UsageError(f"the report cannot be written to {folder}: {error.strerror}; name another --out") from None


def correlation_files(report: CorrelationReport) -> dict[str, bytes]:
    """Return the content of each file by its name."""
    name, metric = report.name, report.sample.metric.name
    scores = [score.name for score in report.sample.scores]
    biases = [each.name for each in report.findings if each.role == "baseline"]
    sizes = report.settings.precision_at
    columns = (
        *("score", "role", "direction", "status", "used", "left_out", "seconds"),
        *(f"{kind}{end}" for kind in _ESTIMATES for end in ("", "_lower", "_upper")),
        *(f"precision@{size}" for size in sizes),
        *(f"spearman_with_{bias}" for bias in biases),
    )
    return {
        f"{name}.json": (json.dumps(correlation_json(report), indent=2, allow_nan=False) + "\n").encode(),
        f"{name}.csv": csv_of(("trial", "architecture", metric, *scores), _sample_rows(report)),
        f"{name}-correlations.csv": csv_of(columns, _finding_rows(report, biases)),
        f"{name}.png": draw_correlations(report),
        f"{name}-scatter.png": draw_scatter(report),
    }


def correlation_json(report: CorrelationReport) -> dict[str, Any]:
    """Return everything in ``report`` but the architectures; what is no finite number is null."""
    sample = report.sample
    found: dict[str, Any] = plain(
        {
            "correlation": report.name,
            "state": report.state,
            "metric": sample.metric.name,
            "direction": sample.metric.direction,
            "architectures": report.architectures,
            "planned": report.planned,
            "other_trials": dict(sample.failures),
            "baseline": report.baseline,
            "scores": [_finding_json(each) for each in report.findings],
            "settings": report.settings.model_dump(mode="json"),
        }
    )
    return found


def _finding_json(finding: Finding) -> dict[str, Any]:
    values = asdict(finding)
    return {**values, "left_out": dict(finding.left_out), "precision": dict(finding.precision)}


def _sample_rows(report: CorrelationReport) -> Iterator[Sequence[object]]:
    sample = report.sample
    columns = [sample.target.tolist(), *(score.values.tolist() for score in sample.scores)]
    for place, (number, architecture) in enumerate(zip(sample.numbers, sample.architectures, strict=True)):
        yield number, str(architecture), *(_cell(column[place]) for column in columns)


def _finding_rows(report: CorrelationReport, biases: Sequence[str]) -> Iterator[Sequence[object]]:
    for each in report.findings:
        estimates: list[Estimate | None] = [getattr(each, kind) for kind in _ESTIMATES]
        numbers = [end for found in estimates for end in _ends(found)]
        numbers += [each.precision.get(size) for size in report.settings.precision_at]
        numbers += [each.bias.get(bias) for bias in biases]
        left = sum(each.left_out.values())
        plain_cells = (each.name, each.role, each.direction, each.status, each.used, left, _cell(each.seconds))
        yield *plain_cells, *map(_cell, numbers)


def _ends(found: Estimate | None) -> tuple[float | None, float | None, float | None]:
    return (None, None, None) if found is None else (found.value, found.lower, found.upper)


def _cell(value: float | None) -> str:
    """Return a number so that reading it gives the same one; nothing where there is no number."""
    return repr(value) if value is not None and math.isfinite(value) else ""
