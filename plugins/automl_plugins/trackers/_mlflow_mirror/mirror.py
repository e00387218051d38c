"""One study in MLflow: a parent run, a child run per trial, and what was best.

MLflow holds where the mirror stands: the tag ``automl.revision`` of a child is the revision of its row that was written
last, and it is written after everything else of that revision. So a mirror that is opened anew compares and writes what
is missing, and one that has nothing to write changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from automl import Architecture, Study, Trial
from automl_plugins.trackers._mlflow_mirror import content
from automl_plugins.trackers._mlflow_mirror.assignment import Children
from automl_plugins.trackers._mlflow_mirror.connection import Connection, Found
from automl_plugins.trackers._mlflow_mirror.content import Point
from automl_plugins.trackers._mlflow_mirror.correlation import FOLDER as CORRELATION
from automl_plugins.trackers._mlflow_mirror.correlation import correlation_attachments
from automl_plugins.trackers._mlflow_mirror.fold import Course, is_marked
from automl_plugins.trackers._mlflow_mirror.note import study_note, with_drawing
from automl_plugins.trackers._mlflow_mirror.parent import open_parent
from automl_plugins.trackers._mlflow_mirror.portraits import Portraits
from automl_plugins.trackers._mlflow_mirror.ranking import NOWHERE, Standing, standings, write_standing
from automl_plugins.trackers._mlflow_mirror.views import addresses, study_views

if TYPE_CHECKING:
    from automl import TrialRecord

AUTO_CHILDREN = 1_000
BEST_CHILDREN = 10

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Child:
    """A trial's run as it is in MLflow."""

    run_id: str
    revision: int
    state: str
    standing: Standing = NOWHERE
    has_files: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """What was done: trials told so far, child runs created and updated."""

    told: int = 0
    created: int = 0
    updated: int = 0


class Mirror:
    """Writes one study to one MLflow experiment; see the module for what survives a crash."""

    def __init__(
        self, connection: Connection, study: Study, children: Children, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._connection, self._study, self._children, self._clock = connection, study, children, clock
        record = study.record
        self._id, self._uid, self._name, self._created = record.id, record.uid, record.name, record.created
        self._portraits = Portraits(study)
        self._course = Course(study.goal, BEST_CHILDREN)
        self._runs = {int(run.tags["automl.trial"]): _child(run) for run in connection.runs(self._uid, "trial")}
        self._has_written = False
        self.run_id, self._tags = open_parent(connection, study)
        self._position = 0
        self._written = int(self._tags.get("automl.told", 0))
        self._shown, self._shown_at = self._tags.get("automl.best", ""), clock()
        self.totals = Totals()

    def catch_up(self) -> bool:
        """Mirror the next batch of changes; ``False`` when there was none."""
        rows = self._study.store.trials(self._id, after_revision=self._position, limit=_BATCH)
        if not rows:
            return False
        improved, points = self._tell(rows)
        for row in rows:
            if self._wants(row, improved):
                self._write_child(row)
        self._position = rows[-1].revision
        self.totals = replace(self.totals, told=self._course.told)
        if points or self._position > int(self._tags["automl.position"]):
            self._written = max(self._written, self._course.told)
            place = {"automl.position": str(self._position), "automl.told": str(self._written)}
            self._mark(points=points, tags={**content.study_progress_tags(self._study), **place})
        return True

    def show_best(self, every: float) -> None:
        """Show what is best, and the ranking, if that is new and ``every`` seconds have passed since the last time."""
        if self._clock() - self._shown_at >= every:
            self._shown_at = self._clock()
            self._rank()
            self._write_best()

    def settle(self) -> None:
        """Show the study as it is when there is nothing to catch up with: running, or at its end."""
        state = self._study.state.value
        if content.STUDY_STATUS[state] == "RUNNING":
            self._reopen(state)
        elif self._has_written or self._tags.get("automl.concluded") != f"{state} {self._position}":
            self._conclude(state)

    def _reopen(self, state: str) -> None:
        if self._tags.get("automl.state") != state or self._tags.get("automl.concluded"):
            self._connection.set_status(self.run_id, "RUNNING", 0.0)
            self._mark(tags={**content.study_progress_tags(self._study), "automl.concluded": ""})

    def _conclude(self, state: str) -> None:
        end = max(self._course.ended, self._created)
        for number, child in self._runs.items():
            if child.state == "running":
                self._connection.set_status(child.run_id, "KILLED", end)
                self._connection.write(child.run_id, tags={"automl.trial_state": "interrupted"})
                self._runs[number] = replace(child, state="interrupted")
        self._complete()
        self._rank()
        for trial in self._course.top:
            self._write_files(trial)
        self._write_best(is_last=True)
        attached = correlation_attachments(self._study, state, end)
        if attached.files:
            self._connection.write_files(self.run_id, attached.files, CORRELATION)
        self._connection.set_status(self.run_id, content.STUDY_STATUS[state], end)
        points = [*self._course.points(), *attached.points]
        concluded = {"automl.concluded": f"{state} {self._position}"}
        self._mark(points=points, tags={**content.study_progress_tags(self._study), **concluded})
        self._has_written = False

    # The parent run.

    def _tell(self, rows: list[TrialRecord]) -> tuple[set[int], list[Point]]:
        """Learn of the trials told in ``rows``; return the numbers of those that were best yet, and points to draw."""
        told = [row for row in rows if row.told_order is not None and not self._course.has(row.number)]
        improved: set[int] = set()
        points: list[Point] = []
        for row in sorted(told, key=lambda row: (row.told_order or 0, row.number)):
            order = row.told_order or 0
            is_better = self._course.tell(row.trial(self._study.goal), order, _end_of(row))
            if is_better:
                improved.add(row.number)
            if order >= self._written and (is_better or is_marked(order)):
                points += self._course.points()
        return improved, points

    def _mark(self, *, tags: dict[str, str], points: list[Point] | None = None) -> None:
        self._connection.write(self.run_id, points=points or [], tags=tags)
        self._tags |= tags
        self._has_written = True

    def _write_best(self, *, is_last: bool = False) -> None:
        best = self._course.best
        shown = ",".join(str(trial.number) for trial in best)[:1_000]
        if best and shown != self._shown:
            self._connection.write_files(self.run_id, self._files(best[0]), "best")
            self._connection.write_files(self.run_id, {"best.json": content.best_file(best)})
        if is_last or (best and shown != self._shown):
            note = self._note(best)
            if self._tags.get("mlflow.note.content") != note or shown != self._shown:
                self._mark(tags=content.tags_of({"automl.best": shown, "mlflow.note.content": note}))
        self._shown = shown

    def _note(self, best: list[Trial]) -> str:
        """Return the description, after keeping the views that it links to."""
        top = self._course.top
        decisions = list(dict.fromkeys(name for trial in top for name in trial.architecture.to_json()))
        goal, connection = self._study.goal, self._connection
        connection.keep_views(study_views(self._name, self._uid, self._created, self.run_id, goal, decisions))
        pages = addresses(connection.experiment_id, connection.experiment_tags, self._uid)[1:]
        note = study_note(self._study, best, top, self._title, pages)
        if best and self._portraits.can_draw:
            note = with_drawing(note, self.run_id, "best/architecture.png")
        return note

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
        if child is None:
            child = self._create_child(row)
        elif child.revision >= row.revision:
            return
        else:
            self.totals = replace(self.totals, updated=self.totals.updated + 1)
        points: list[Point] = []
        if row.state != child.state:
            if child.state or row.state != "running":
                self._connection.set_status(child.run_id, content.TRIAL_STATUS[row.state], _end_of(row))
            if row.state != "running":
                points = content.trial_points(row, self._study.store.reports(self._id, row.number))
        params = content.params_of(row.architecture) if child.revision < 0 else {}
        self._connection.write(child.run_id, params=params, points=points, tags=content.trial_tags(row))
        self._runs[row.number] = replace(child, revision=row.revision, state=row.state)
        self._has_written = True

    def _create_child(self, row: TrialRecord) -> Child:
        title = self._portraits.title(Architecture.from_json(row.architecture))
        tags = content.identity_tags(self._name, self._uid, self.run_id, row)
        run_id = self._connection.create(content.run_name(row.number, title), row.started, tags)
        self.totals = replace(self.totals, created=self.totals.created + 1)
        return Child(run_id, -1, "")

    def _complete(self) -> None:
        """Give the trials of the final ranking runs, also those that came late and were never the best."""
        late = {trial.number for trial in self._course.top} - self._runs.keys()
        if self._children == "auto" and late:
            for row in self._study.records:
                if row.number in late:
                    self._write_child(row)

    def _rank(self) -> None:
        found = standings(self._course)
        for number, child in self._runs.items():
            standing = found.get(number, NOWHERE)
            if standing != child.standing:
                write_standing(self._connection, child.run_id, child.standing, standing)
                self._runs[number] = replace(child, standing=standing)

    def _write_files(self, trial: Trial) -> None:
        child = self._runs.get(trial.number)
        if child is None or child.has_files:
            return
        self._connection.write_files(child.run_id, self._files(trial))
        self._connection.write(child.run_id, tags={"automl.has_files": "true"})
        self._runs[trial.number] = replace(child, has_files=True)

    def _files(self, trial: Trial) -> dict[str, bytes]:
        files = {"architecture.json": content.json_file(trial.architecture.to_json())}
        if (picture := self._portraits.picture(trial.architecture, f"trial {self._title(trial)}")) is not None:
            files["architecture.png"] = picture
        return files

    def _title(self, trial: Trial) -> str:
        return content.run_name(trial.number, self._portraits.title(trial.architecture))


def _child(run: Found) -> Child:
    return Child(
        run.run_id,
        int(run.tags.get("automl.revision", -1)),
        run.tags.get("automl.trial_state", ""),
        Standing.of(run.tags),
        "automl.has_files" in run.tags,
    )


def _end_of(row: TrialRecord) -> float:
    return row.started if row.finished is None else row.finished
