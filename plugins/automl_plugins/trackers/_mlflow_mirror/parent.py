"""The run of a study, below which those of its trials and of its trained models lie."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from automl import Study, study_file
from automl_plugins.trackers._mlflow_mirror import content
from automl_plugins.trackers._mlflow_mirror.lock import only_one
from automl_plugins.trackers._mlflow_mirror.note import STUDY_FILE
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.views import study_views

if TYPE_CHECKING:
    from automl_plugins.trackers._mlflow_mirror.connection import Connection

_PARENT_SECONDS, _POLL_SECONDS = 10.0, 0.2


def open_parent(connection: Connection, study: Study) -> tuple[str, dict[str, str]]:
    """Return the id and the tags of the study's run, which is found by its tag `automl.study_uid` or made.

    Only one process may do this at a time; see `only_one`. It may be killed at any moment: the tag
    ``automl.position`` says that the run is complete.
    """
    record = study.record
    found = next(connection.runs(record.uid, "study"), None)
    if found is not None and "automl.position" in found.tags:
        return found.run_id, dict(found.tags)
    tags = content.study_tags(study)
    run_id = found.run_id if found else connection.create(record.name, record.created, tags)
    definition = {
        "definition.json": content.json_file(record.definition),
        STUDY_FILE: study_file(study.definition).encode(),
    }
    connection.write_files(run_id, definition)
    connection.keep_views(study_views(record.name, record.uid, record.created, run_id, study.goal))
    place = {"automl.position": "0"}
    connection.write(run_id, params=content.study_params(study), tags=place)
    return run_id, {**tags, **place}


def parent_of(connection: Connection, study: Study, place: Place, seconds: float = _PARENT_SECONDS) -> str:
    """Return the id of the study's run for a process that does not mirror it, and make that run if there is none.

    A writer that is at work makes it in a moment and is waited for, at most ``seconds``; empty when it does not.
    """
    uid, deadline = study.record.uid, time.monotonic() + seconds
    while True:
        if found := next(connection.runs(uid, "study"), None):
            return found.run_id
        with only_one(uid, place, 0.0) as other:
            if other is None:
                run_id, _ = open_parent(connection, study)
                _show_state(connection, study, run_id)
                return run_id
        if time.monotonic() > deadline:
            return ""
        time.sleep(_POLL_SECONDS)


def _show_state(connection: Connection, study: Study, run_id: str) -> None:
    """Show whether the study is over; all else waits for the mirror."""
    record, status = study.record, content.STUDY_STATUS[study.state.value]
    if status != "RUNNING":
        connection.set_status(run_id, status, record.created + record.elapsed)
    connection.write(run_id, tags=content.study_progress_tags(study))
