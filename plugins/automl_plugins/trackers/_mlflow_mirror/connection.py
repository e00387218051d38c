"""The MLflow side: runs, params, metrics, tags and artifacts, in requests within MLflow's limits.

Facts about MLflow 3 that this rests on: a database store keeps one row per metric, value, step and time, so writing a
point again changes nothing; params are written once and never change; only runs that were not deleted can be written.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param, Run, RunTag
from mlflow.exceptions import MlflowException
from mlflow.tracking.client import MlflowClient
from sqlalchemy import Engine, event
from sqlalchemy.exc import SQLAlchemyError

from automl_plugins.trackers._mlflow_mirror.content import Point, Status, chunks, key_of
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.views import View

TROUBLE = (MlflowException, SQLAlchemyError, OSError)
"""What a store or server that is absent, broken or full raises."""

_PARAMS, _METRICS, _PAGE = 100, 900, 1_000
_FINISHED: Sequence[str] = ("FINISHED", "FAILED", "KILLED")


@dataclass(frozen=True, slots=True)
class Found:
    """A run as it is in MLflow."""

    run_id: str
    status: str
    tags: Mapping[str, str]


# Makes the MLflow UI open the experiment on its runs instead of on traces of language models.
_EXPERIMENT_TAGS = {"mlflow.experimentKind": "custom_model_development"}


class Connection:
    """One experiment at one place."""

    def __init__(self, place: Place, project: str) -> None:
        self._client = MlflowClient(place.uri)
        self.experiment_tags: dict[str, str] = {}
        self.experiment_id = self._experiment(place, project)

    def runs(self, study_uid: str, kind: str) -> Iterator[Found]:
        """Yield the runs of a study, oldest first; ``kind`` is ``study`` or ``trial``."""
        wanted = f"tags.`automl.study_uid` = '{study_uid}' and tags.`automl.kind` = '{kind}'"
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [self.experiment_id],
                wanted,
                max_results=_PAGE,
                order_by=["attributes.start_time ASC"],
                page_token=token,
            )
            yield from map(_found, page)
            token = page.token
            if not token:
                return

    def create(self, name: str, started: float, tags: Mapping[str, str]) -> str:
        """Return the id of a new run."""
        run = self._client.create_run(self.experiment_id, start_time=_ms(started), run_name=name, tags=dict(tags))
        return str(run.info.run_id)

    def write(
        self,
        run_id: str,
        *,
        params: Mapping[str, str] | None = None,
        points: Iterable[Point] = (),
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write params and points, and then the tags: when they are there, so is all the rest."""
        rows = [Metric(key_of(point.name), point.value, _ms(point.time), point.step) for point in points]
        pairs = [Param(name, value) for name, value in (params or {}).items()]
        marks = [RunTag(name, value) for name, value in (tags or {}).items()]
        metric_parts, param_parts = chunks(rows, _METRICS), chunks(pairs, _PARAMS)
        for number in range(max(len(metric_parts), len(param_parts), 1)):
            part = metric_parts[number] if number < len(metric_parts) else []
            few = param_parts[number] if number < len(param_parts) else []
            is_last = number >= max(len(metric_parts), len(param_parts)) - 1
            if is_last and len(part) + len(few) + len(marks) < 1_000:
                self._client.log_batch(run_id, metrics=part, params=few, tags=marks, synchronous=True)
                return
            self._client.log_batch(run_id, metrics=part, params=few, synchronous=True)
        self._client.log_batch(run_id, tags=marks, synchronous=True)

    def set_status(self, run_id: str, status: Status, ended: float) -> None:
        """Set the status of a run, and when it ended if it did."""
        if status in _FINISHED:
            self._client.set_terminated(run_id, status, end_time=_ms(ended))
        else:
            self._client.update_run(run_id, status=status)

    def drop_tag(self, run_id: str, name: str) -> None:
        """Delete a tag."""
        self._client.delete_tag(run_id, name)

    def write_files(self, run_id: str, files: Mapping[str, bytes], folder: str | None = None) -> None:
        """Write artifacts, by name."""
        with tempfile.TemporaryDirectory() as base:
            for name, content in files.items():
                (Path(base) / name).write_bytes(content)
            self._client.log_artifacts(run_id, base, folder)

    def _experiment(self, place: Place, project: str) -> str:
        found = self._client.get_experiment_by_name(project)
        if found is None:
            artifacts = None if place.artifacts is None else Path(place.artifacts).as_uri()
            return str(self._client.create_experiment(project, artifact_location=artifacts, tags=_EXPERIMENT_TAGS))
        if found.lifecycle_stage != "active":
            raise MlflowException(
                f"experiment {project!r} was deleted in MLflow; restore it, or choose another project"
            )
        self.experiment_tags = dict(found.tags)
        return str(found.experiment_id)

    def keep_views(self, views: Iterable[View]) -> None:
        """Keep saved views of the UI with the experiment; those that are there already cost nothing."""
        for view in views:
            if view.value and self.experiment_tags.get(view.tag) != view.value:
                self._client.set_experiment_tag(self.experiment_id, view.tag, view.value)
                self.experiment_tags[view.tag] = view.value


@contextmanager
def gentle_sqlite(place: Place) -> Iterator[None]:
    """Spare the disk while a mirror in a SQLite file is written: what it loses by a loss of power can be rebuilt.

    A new file is set to write-ahead logging, in which readers (the MLflow UI) and the writer do not wait for each
    other; the mode of an existing one is left as it is.
    """
    path = place.uri.removeprefix("sqlite:///") if place.uri.startswith("sqlite:///") else None

    def on_connect(connection: Any, _record: object) -> None:
        if not isinstance(connection, sqlite3.Connection):
            return
        cursor = connection.cursor()
        if cursor.execute("PRAGMA database_list").fetchone()[2] == path:
            if cursor.execute("PRAGMA page_count").fetchone()[0] == 0:
                cursor.execute("PRAGMA journal_mode=WAL")
            if cursor.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    event.listen(Engine, "connect", on_connect)
    try:
        yield
    finally:
        event.remove(Engine, "connect", on_connect)


def _found(run: Run) -> Found:
    return Found(str(run.info.run_id), str(run.info.status), dict(run.data.tags))


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
