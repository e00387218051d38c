"""A comparison in MLflow: one run with its settings, each strategy's curve and final figures, and the report's files.

Below it lies a run per strategy with the same figures under the same names, so that MLflow's charts show the strategies
side by side; a saved view opens them so. Its studies, often hundreds, are not mirrored one by one. Everything is made
from the store, so that the same comparison always gives the same run; the run is found again by the comparison's uid
and written anew.
"""

from __future__ import annotations

import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from automl import Comparison, ComparisonReport, write_files
from automl_plugins.trackers._mlflow_mirror import content
from automl_plugins.trackers._mlflow_mirror.assignment import UNREACHABLE, Assignment, Status
from automl_plugins.trackers._mlflow_mirror.content import Point
from automl_plugins.trackers._mlflow_mirror.note import grid, number
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.views import STRATEGIES, View, local_address, metric, tag

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
    return [
        replace(point, name=f"{point.name}/{label}")
        for label in report.curves
        for point in strategy_points(report, label, moment)
    ]


def strategy_points(report: ComparisonReport, label: str, moment: float) -> list[Point]:
    """Return one strategy's median curve, thinned, and its final figures, at step 0: MLflow draws those as bars."""
    reported = report.curves[label].reported
    medians = np.nanmedian(reported, axis=0) if np.isfinite(reported).any() else np.array([])
    points = [Point(f"{report.metric}_median", float(medians[step - 1]), step, moment) for step in _steps(len(medians))]
    final = report.values[label][-1]
    figures = {
        "final_mean": final.mean,
        "final_sd": final.sd,
        "rank": report.ranks[label].rank,
        "ask_ms": 1000 * report.ask_seconds[label],
    }
    if test := report.tests[report.checkpoints[-1]].get(label):
        figures["p_adjusted"] = test.p_adjusted
    if goal := report.reached.get(label):
        figures |= {"reached_share": goal.share, "reached_median": goal.median}
    points += [Point(name, value, 0, moment) for name, value in figures.items()]
    return [point for point in points if math.isfinite(point.value)]


def comparison_note(comparison: Comparison, report: ComparisonReport, experiment: str) -> str:
    """Return the description of a comparison's run: the strategies by rank, and what was compared."""
    uid, base = comparison.record.uid, comparison.definition.base
    order = sorted(report.ranks, key=lambda label: report.ranks[label].rank)
    rows = []
    for label in order:
        final = report.values[label][-1]
        rows.append([label, number(final.mean), number(final.sd), f"{report.ranks[label].rank:.2f}"])
    return "\n\n".join(
        [
            f"[The strategies side by side]({local_address(experiment, uid, STRATEGIES)})",
            grid(["strategy", f"mean {report.metric}", "sd", "mean rank"], rows),
            f"Compared on the space `{base.space.name}`, for {'; '.join(base.objectives)}, over "
            f"{comparison.definition.settings.seeds} seeds. Tests, curves and tables are among the artifacts.",
        ]
    )


def strategies_view(comparison: Comparison, run: str) -> View:
    """Return the view of the strategies' runs."""
    record = comparison.record
    columns = [metric(name) for name in ("rank", "final_mean", "final_sd", "p_adjusted", "ask_ms")]
    kind = f"{tag('kind')} = 'strategy'"
    return View(STRATEGIES, record.name, record.uid, record.created, run, [kind], columns, metric("rank"), True)


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
    _write_strategies(connection, comparison, report, run_id, ended)
    connection.keep_views([strategies_view(comparison, run_id)])
    note = comparison_note(comparison, report, connection.experiment_id)
    connection.write(run_id, tags=content.tags_of({"mlflow.note.content": note}))
    connection.set_status(run_id, content.STUDY_STATUS[comparison.state.value], ended)
    return run_id, known is None


def _write_strategies(
    connection: Connection, comparison: Comparison, report: ComparisonReport, parent: str, ended: float
) -> None:
    """Write a run for each strategy, below the comparison's."""
    record = comparison.record
    known = {run.tags["automl.strategy"]: run.run_id for run in connection.runs(record.uid, "strategy")}
    for label in report.curves:
        tags = {
            "mlflow.parentRunId": parent,
            "mlflow.source.name": "automl",
            "automl.kind": "strategy",
            "automl.study": record.name,
            "automl.study_uid": record.uid,
            "automl.strategy": label,
        }
        run_id = known.get(label) or connection.create(label, record.created, content.tags_of(tags))
        connection.write(run_id, points=strategy_points(report, label, record.created))
        connection.set_status(run_id, content.STUDY_STATUS[comparison.state.value], ended)


def _steps(count: int) -> Iterator[int]:
    """Yield up to `_CURVE_POINTS` evaluations, the first and the last among them."""
    if count:
        yield from sorted({round(step) for step in np.linspace(1, count, min(count, _CURVE_POINTS))})
