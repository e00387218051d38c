"""One study in MLflow: a parent run, a child run per trial, and what was best.

MLflow holds where the mirror stands: the tag ``automl.revision`` of a child is the revision of its row that was written
last, and it is written after everything else of that revision. So a mirror that is opened anew compares and writes what
is missing, and one that has nothing to write changes nothing.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from automl import Architecture, Study, Trial
from automl_plugins.trackers._mlflow_mirror import content
from automl_plugins.trackers._mlflow_mirror.connection import Connection, Found
from automl_plugins.trackers._mlflow_mirror.content import Point
from automl_plugins.trackers._mlflow_mirror.fold import Course, is_marked
from automl_plugins.trackers._mlflow_mirror.portraits import Portraits

if TYPE_CHECKING:
    from automl.storage.records import TrialRecord

Children = Literal["auto", "all", "best", "none"]

AUTO_CHILDREN = 1_000
PICTURES = 10

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Child:
    """A trial's run as it is in MLflow."""

    run_id: str
    revision: int
    state: str
    rank: str = ""
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """What was done: rows read, trials told, child runs created and updated."""

    rows: int = 0
    told: int = 0
    created: int = 0
    updated: int = 0


class Mirror:
    """Writes one study to one MLflow experiment; see the module for what survives a crash."""

    def __init__(
        self, connection: Connection, study: Study, children: Children, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection, self._study, self._children = connection, study, children
        record = study.record
        self._id, self._uid, self._name = record.id, record.uid, record.name
        self._portraits = Portraits(study)
        self._course = Course(study.goal)
        self._runs = {int(run.tags["automl.trial"]): _child(run) for run in connection.runs(self._uid, "trial")}
        parent = next(connection.runs(self._uid, "study"), None)
        self._tags = dict(parent.tags) if parent else {}
        self.run_id = parent.run_id if parent else self._create(record.created)
        self._position = 0
        self._written = int(self._tags.get("automl.told", 0))
        self._clock, self._shown_at, self._shown = clock, clock(), self._tags.get("automl.best", "")
        self._has_written = parent is None
        self.totals = Totals()

    def catch_up(self) -> bool:
        """Mirror the next batch of changes; ``False`` when there was none."""
        rows = self._study.store.trials(self._id, after_revision=self._position, limit=_BATCH)
        if not rows:
            return False
        improved = self._tell(rows)
        for row in rows:
            if self._wants(row, improved):
                self._write_child(row)
        self._position = rows[-1].revision
        self.totals = replace(self.totals, rows=self.totals.rows + len(rows), told=self._course.told)
        self._write_course()
        return True

    def show_best(self, every: float) -> None:
        """Put the best architecture on the parent run if it is new and ``every`` seconds have passed since the last."""
        if self._clock() - self._shown_at >= every and self._course.front:
            self._shown_at = self._clock()
            self._write_best(self._study.best)

    def conclude(self) -> None:
        """Write what a study that rests looks like: final state, ranks, pictures of the best."""
        state = self._study.state.value
        ended = f"{state} {self._position}"
        if not self._has_written and self._tags.get("automl.concluded") == ended:
            return
        end = self._ended()
        for number, child in self._runs.items():
            if child.state == "running":
                self._connection.set_status(child.run_id, "KILLED", end)
                self._connection.write(child.run_id, tags={"automl.trial_state": "interrupted"})
                self._runs[number] = replace(child, state="interrupted")
        top = self._study.top(PICTURES)
        self._rank(top)
        for trial in top:
            self._write_files(trial)
        self._write_best(self._study.best)
        self._connection.set_status(self.run_id, content.STUDY_STATUS[state], end)
        tags = content.study_progress_tags(self._study)
        self._mark(points=self._course.points(), tags={**tags, "automl.concluded": ended})
        self._has_written = False

    def resume(self) -> None:
        """Show the study as running again."""
        if self._tags.get("automl.concluded") or self._tags.get("automl.state") != "running":
            self._connection.set_status(self.run_id, "RUNNING", 0.0)
            self._mark(tags={**content.study_progress_tags(self._study), "automl.concluded": ""})

    # The parent run.

    def _create(self, created: float) -> str:
        tags = content.study_tags(self._study)
        run_id = self._connection.create(self._name, created, tags)
        self._tags = dict(tags)
        definition = json.dumps(dict(self._study.record.definition), indent=2).encode()
        self._connection.write(run_id, params=content.study_params(self._study))
        self._connection.write_files(run_id, {"definition.json": definition})
        return run_id

    def _tell(self, rows: list[TrialRecord]) -> set[int]:
        """Learn of the told trials among ``rows``, keep the points to draw, and return the numbers of the best yet."""
        told = [row for row in rows if row.told_order is not None and not self._course.has(row.number)]
        improved: set[int] = set()
        self._points: list[Point] = []
        for row in sorted(told, key=lambda row: (row.told_order or 0, row.number)):
            order = row.told_order or 0
            is_better = self._course.tell(row.trial(self._study.goal), order, _end_of(row))
            if is_better:
                improved.add(row.number)
            if order >= self._written and (is_better or is_marked(order)):
                self._points += self._course.points()
        return improved

    def _write_course(self) -> None:
        if self._position <= int(self._tags.get("automl.position", -1)) and not self._points:
            return
        self._written = max(self._written, self._course.told)
        told = {"automl.position": str(self._position), "automl.told": str(self._written)}
        self._mark(points=self._points, tags={**content.study_progress_tags(self._study), **told})
        self._points = []

    def _mark(self, *, tags: dict[str, str], points: list[Point] | None = None) -> None:
        self._connection.write(self.run_id, points=points or [], tags=tags)
        self._tags |= tags
        self._has_written = True

    def _write_best(self, best: list[Trial]) -> None:
        shown = ",".join(str(trial.number) for trial in best)[:1_000]
        if not best or shown == self._shown:
            return
        self._connection.write_files(self.run_id, self._files(best[0]), "best")
        every = [_described(trial) for trial in best]
        self._connection.write_files(self.run_id, {"best.json": _json(every)})
        title = self._portraits.title(best[0].architecture)
        note = f"Best: trial {best[0].number} ({title})" if title else f"Best: trial {best[0].number}"
        self._mark(tags=content.tags_of({"automl.best": shown, "mlflow.note.content": note}))
        self._shown = shown

    def _ended(self) -> float:
        record = self._study.record
        return max((_end_of(row) for row in self._study.records), default=record.created)

    # The child runs.

    def _wants(self, row: TrialRecord, improved: set[int]) -> bool:
        if row.number in self._runs:
            return True
        if self._children == "none":
            return False
        is_small = self._children == "auto" and row.number < AUTO_CHILDREN
        return self._children == "all" or is_small or row.number in improved

    def _write_child(self, row: TrialRecord) -> None:
        child = self._runs.get(row.number)
        if child is not None and child.revision >= row.revision:
            return
        params: dict[str, str] = {}
        if child is None:
            title = self._portraits.title(Architecture.from_json(row.architecture))
            tags = content.identity_tags(self._name, self._uid, self.run_id, row)
            child = Child(self._connection.create(content.run_name(row, title), row.started, tags), -1, "")
            self._runs[row.number] = child
            self.totals = replace(self.totals, created=self.totals.created + 1)
        else:
            self.totals = replace(self.totals, updated=self.totals.updated + 1)
        if child.revision < 0:
            params = content.params_of(row.architecture)
        points: list[Point] = []
        if row.state != child.state:
            if child.state or row.state != "running":
                self._connection.set_status(child.run_id, content.TRIAL_STATUS[row.state], _end_of(row))
            if row.state != "running":
                points = content.trial_points(row, self._study.store.reports(self._id, row.number))
        self._connection.write(child.run_id, params=params, points=points, tags=content.trial_tags(row))
        self._runs[row.number] = replace(child, revision=row.revision, state=row.state)
        self._has_written = True

    def _rank(self, top: list[Trial]) -> None:
        ranks = {trial.number: str(place) for place, trial in enumerate(top, 1)}
        for number, child in self._runs.items():
            rank = ranks.get(number, "")
            if rank == child.rank:
                continue
            if rank:
                self._connection.write(child.run_id, tags={"automl.rank": rank})
            else:
                self._connection.drop_tag(child.run_id, "automl.rank")
            self._runs[number] = replace(child, rank=rank)

    def _write_files(self, trial: Trial) -> None:
        child = self._runs.get(trial.number)
        if child is None or child.has_files:
            return
        self._connection.write_files(child.run_id, self._files(trial))
        self._connection.write(child.run_id, tags={"automl.has_files": "true"})
        self._runs[trial.number] = replace(child, has_files=True)

    def _files(self, trial: Trial) -> dict[str, bytes]:
        files = {"architecture.json": _json(trial.architecture.to_json())}
        title = self._portraits.title(trial.architecture)
        heading = f"trial {trial.number} · {title}" if title else f"trial {trial.number}"
        if (picture := self._portraits.picture(trial.architecture, heading)) is not None:
            files["architecture.png"] = picture
        return files


def _child(run: Found) -> Child:
    return Child(
        run.run_id,
        int(run.tags.get("automl.revision", -1)),
        run.tags.get("automl.trial_state", ""),
        run.tags.get("automl.rank", ""),
        "automl.has_files" in run.tags,
    )


def _described(trial: Trial) -> dict[str, Any]:
    metrics = {name: value if abs(value) < float("inf") else None for name, value in trial.metrics.items()}
    return {"trial": trial.number, "metrics": metrics, "architecture": trial.architecture.to_json()}


def _json(value: object) -> bytes:
    return json.dumps(value, indent=2).encode()


def _end_of(row: TrialRecord) -> float:
    return row.started if row.finished is None else row.finished
