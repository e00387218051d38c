"""A comparison in MLflow: one run with its settings, each strategy's curve and final figures, and the report's files.

Its studies, often hundreds, are not mirrored one by one. Everything is made from the store, so that the same comparison
always gives the same run; the run is found again by the comparison's uid and written anew.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl import Comparison, ComparisonReport, write_files
from automl_plugins.trackers._mlflow_mirror import content
from automl_plugins.trackers._mlflow_mirror.assignment import UNREACHABLE, Assignment, Status
from automl_plugins.trackers._mlflow_mirror.content import Point
from automl_plugins.trackers._mlflow_mirror.places import Place

if TYPE_CHECKING:
    from automl_plugins.trackers._mlflow_mirror.connection import Connection

_CURVE_POINTS = 200
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0


def mirror_comparison(
    assignment: Assignment, comparison: Comparison, place: Place, tell: Callable[[Status], None]
) -> int:
    """Write the run of ``comparison``, through absences of MLflow, and return the exit code of the writer."""
    from automl_plugins.trackers._mlflow_mirror.connection import TROUBLE, Connection

    deadline, pause = time.monotonic() + assignment.patience, _FIRST_PAUSE
    while True:
        try:
            connection = Connection(place, comparison.definition.base.project)
            run_id, is_new = _write(connection, comparison)
            told = len(comparison.members)
            tell(Status(told, int(is_new), int(not is_new), run_id, connection.experiment_id))
            return 0
        except TROUBLE as trouble:
            line = (str(trouble).strip().splitlines() or [type(trouble).__name__])[0][:500]
            line = line.replace(place.uri, place.display_uri)
            tell(Status(trouble=line))
            sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}\n")
            if time.monotonic() > deadline:
                return UNREACHABLE
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def comparison_params(comparison: Comparison) -> dict[str, str]:
    """Return the settings of a comparison that never change: its problem, strategies and seeds."""
    definition = comparison.definition
    settings = definition.settings
    base = definition.base.model_dump(mode="json", exclude={"strategy", "seed", "name", "project", "trackers"})
    strategies = {
        f"strategies.{each.label}": {
            "name": each.name,
            **each.options,
            **each.model_dump(mode="json", include=set(each.own)),
        }
        if each.options or each.own
        else each.name
        for each in settings.strategies
    }
    return content.params_of({**content.flat(base), **strategies, "seeds": settings.seeds})


def comparison_points(report: ComparisonReport, moment: float) -> list[Point]:
    """Return each strategy's median curve, thinned, and its final figures; ``moment`` is the time of all points."""
    last = report.checkpoints[-1]
    figures: dict[str, float] = {}
    points = []
    for label, curves in report.curves.items():
        medians = np.nanmedian(curves.reported, axis=0) if np.isfinite(curves.reported).any() else np.array([])
        for step in _steps(len(medians)):
            points.append(Point(f"{report.metric}_median/{label}", float(medians[step - 1]), step, moment))
        final = report.values[label][-1]
        figures[f"final_mean/{label}"] = final.mean
        figures[f"final_sd/{label}"] = final.sd
        figures[f"rank/{label}"] = report.ranks[label].rank
        figures[f"ask_ms/{label}"] = 1000 * report.ask_seconds[label]
        if test := report.tests[last].get(label):
            figures[f"p_adjusted/{label}"] = test.p_adjusted
        if reached := report.reached.get(label):
            figures[f"reached_share/{label}"] = reached.share
            figures[f"reached_median/{label}"] = reached.median
    points += [Point(name, value, last, moment) for name, value in figures.items()]
    return [point for point in points if math.isfinite(point.value)]


def _write(connection: Connection, comparison: Comparison) -> tuple[str, bool]:
    """Write everything and return the run's id and whether it is new."""
    record, definition = comparison.record, comparison.definition
    tags = content.tags_of(
        {
            "mlflow.source.name": "automl",
            "automl.kind": "comparison",
            "automl.study": record.name,
            "automl.study_uid": record.uid,
            "automl.storage": comparison.store.display_url,
            "automl.space": definition.base.space.name,
            "automl.objectives": ", ".join(definition.base.objectives),
            "automl.strategies": ", ".join(definition.labels),
        }
    )
    known = next(iter(connection.runs(record.uid, "comparison")), None)
    run_id = known.run_id if known else connection.create(record.name, record.created, tags)
    report = comparison.report()
    with tempfile.TemporaryDirectory() as folder:
        files = {path.name: path.read_bytes() for path in write_files(report, Path(folder))}
    ended = record.created + sum(study.elapsed for study in comparison.store.comparisons.studies(record.id))
    connection.write(
        run_id,
        params=comparison_params(comparison),
        points=comparison_points(report, record.created),
        tags={"automl.state": comparison.state.value},
    )
    connection.write_files(run_id, files)
    connection.set_status(run_id, content.STUDY_STATUS[comparison.state.value], ended)
    return run_id, known is None


def _steps(count: int) -> Iterator[int]:
    """Yield up to `_CURVE_POINTS` evaluations, the first and the last among them."""
    if count:
        yield from sorted({round(step) for step in np.linspace(1, count, min(count, _CURVE_POINTS))})
