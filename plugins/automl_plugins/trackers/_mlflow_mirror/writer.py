"""The writer process: ``python -m automl_plugins.trackers._mlflow_mirror.writer STUDY``, an `Assignment` on its input.

It ends when the study has ended (or its engine has died) and everything is mirrored, or when MLflow stayed out of reach
for the assignment's patience after that. Only one writer at a time works on a study and a place,
on one host.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from automl import AutomlError, Comparison, Study, load_comparison, load_study
from automl_plugins.trackers._mlflow_mirror.assignment import BUSY, UNREACHABLE, Assignment, Status, write_status
from automl_plugins.trackers._mlflow_mirror.comparison import mirror_comparison
from automl_plugins.trackers._mlflow_mirror.lock import only_one
from automl_plugins.trackers._mlflow_mirror.places import Place, place_of

if TYPE_CHECKING:
    from automl_plugins.trackers._mlflow_mirror.mirror import Mirror

_POLL_SECONDS = 0.5
_BEST_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 15.0
_LOCK_SECONDS = 10.0

# A request that hangs must not hold up the writer for longer than its own pauses do; users may set their own.
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}


class Writer:
    """Keeps one study mirrored, through absences of MLflow."""

    def __init__(self, assignment: Assignment, study: Study, place: Place, tell: Callable[[Status], None]) -> None:
        self._assignment, self._study, self._place, self._tell = assignment, study, place, tell
        self._status = Status()
        self._pause = 0.0
        self._since: float | None = None

    def run(self) -> int:
        """Mirror until there is no more to do; returns the exit code."""
        from automl_plugins.trackers._mlflow_mirror.connection import TROUBLE, Connection
        from automl_plugins.trackers._mlflow_mirror.mirror import Mirror

        while True:
            try:
                connection = Connection(self._place, self._study.definition.project)
                mirror = Mirror(connection, self._study, self._assignment.children)
                self._report(mirror, connection.experiment_id)
                self._work(mirror, connection.experiment_id)
                return 0
            except TROUBLE as trouble:
                if not self._waits(_line(trouble).replace(self._place.uri, self._place.display_uri)):
                    return UNREACHABLE

    def _work(self, mirror: Mirror, experiment_id: str) -> None:
        while True:
            is_running = self._is_running()
            while mirror.catch_up():
                self._report(mirror, experiment_id)
                mirror.show_best(_BEST_SECONDS)
            if not (is_running and self._assignment.follow):
                mirror.settle()
                self._report(mirror, experiment_id)
                return
            mirror.settle()
            mirror.show_best(_BEST_SECONDS)
            time.sleep(_POLL_SECONDS)

    def _is_running(self) -> bool:
        return self._study.state.value == "running"

    def _report(self, mirror: Mirror, experiment_id: str) -> None:
        totals, self._pause, self._since = mirror.totals, 0.0, None
        self._status = Status(totals.told, totals.created, totals.updated, mirror.run_id, experiment_id)
        self._tell(self._status)

    def _waits(self, trouble: str) -> bool:
        """Pause after ``trouble``, ever longer; ``False`` when it has lasted too long."""
        self._tell(replace(self._status, trouble=trouble))
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {trouble}\n")
        now = time.monotonic()
        if self._since is None or (self._assignment.follow and self._is_running()):
            self._since = now
        if now - self._since > self._assignment.patience:
            return False
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        time.sleep(self._pause)
        return True


def main() -> int:
    """Run the writer that standard input describes."""
    assignment = Assignment.from_json(sys.stdin.read())
    tell = _status_writer()
    if assignment.follow:
        os.nice(19)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    found: Comparison | Study
    if assignment.is_comparison:
        found = load_comparison(assignment.study, storage=assignment.storage)
    else:
        found = load_study(assignment.study, storage=assignment.storage)
    place = place_of(assignment.storage, assignment.tracking_uri)
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if place.artifacts is not None:
        # Without it MLflow makes a folder `mlruns` wherever the process happens to run.
        os.environ.setdefault("_MLFLOW_SERVER_ARTIFACT_ROOT", Path(place.artifacts).as_uri())
    with only_one(found.record.uid, place, assignment.patience if assignment.follow else _LOCK_SECONDS) as other:
        if other is not None:
            tell(Status(trouble=f"{other} is mirroring this study to {place.display_uri} already"))
            return BUSY
        from automl_plugins.trackers._mlflow_mirror.connection import gentle_sqlite

        with gentle_sqlite(place):
            if isinstance(found, Study):
                return Writer(assignment, found, place, tell).run()
            return mirror_comparison(assignment, found, place, tell)


def _status_writer() -> Callable[[Status], None]:
    """Keep standard output for the status alone: what libraries print goes to standard error."""
    output = os.dup(1)
    os.dup2(2, 1)
    return lambda status: write_status(output, status)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:500]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AutomlError as error:
        sys.exit(str(error))
