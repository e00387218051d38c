"""Tracker ``mlflow``: a mirror of the study in MLflow, written by a process of its own.

The store is the truth, MLflow a view of it: a search never waits for MLflow, and an MLflow that is slow, absent or lost
costs nothing but the view, which `Mlflow.sync` rebuilds at any time. Importing this module does not import MLflow.
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field, field_validator

from automl import (
    AutomlError,
    BaseOptions,
    Comparison,
    ConfigurationError,
    Progress,
    Study,
    Task,
    Tracker,
    TrainedModel,
    Trial,
)
from automl_plugins.trackers._mlflow_mirror import server
from automl_plugins.trackers._mlflow_mirror.assignment import Assignment, Children, Status
from automl_plugins.trackers._mlflow_mirror.places import Place, holds_credentials, place_of
from automl_plugins.trackers._mlflow_mirror.process import WriterProcess
from automl_plugins.trackers._mlflow_mirror.reading import experiment_at
from automl_plugins.trackers._mlflow_mirror.server import UiServer
from automl_plugins.trackers._mlflow_mirror.standing import Standing, standing_at
from automl_plugins.trackers._mlflow_mirror.views import pages_at

_LOCAL_UI = "http://127.0.0.1:5000"
_SYNC_PATIENCE = 10.0
_LONGEST_WAIT, _WAIT_SHARE = 5.0, 0.02
_FOREVER = 365 * 86_400.0

log = logging.getLogger("automl")


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What `Mlflow.sync` did: the parent run, trials mirrored in all, and child runs written by this call."""

    tracking_uri: str
    experiment: str
    experiment_id: str
    run_id: str
    trials: int
    created: int
    updated: int


class Mlflow(Tracker):
    """Mirror the study in MLflow: a run per study with the best values so far, and below it a run per trial.

    >>> Mlflow(Mlflow.Options(children="best")).options.children
    'best'
    """

    class Options(BaseOptions):
        tracking_uri: str | None = None
        """Where to; by default `MLFLOW_TRACKING_URI`, else `mlflow.db` beside the store.
        It is stored with the study: credentials belong in the environment, in `MLFLOW_TRACKING_USERNAME` and
        `MLFLOW_TRACKING_PASSWORD` or in `MLFLOW_TRACKING_URI`.
        """
        children: Children = "auto"
        """Which trials get a run of their own: all, those that were best yet, none; auto is all of the first 1,000."""
        wait: Annotated[float, Field(ge=0)] | None = None
        """Seconds to wait for the mirror at the end; by default 5, but at most a fiftieth of the study's time."""
        patience: Annotated[float, Field(ge=0)] = 60.0
        """Seconds for which the mirror tries to reach an absent MLflow after the study's end."""

        @field_validator("tracking_uri")
        @classmethod
        def _holds_no_credentials(cls, uri: str | None) -> str | None:
            if uri is not None and holds_credentials(uri):
                # Not a ValueError: pydantic's message would show the value.
                raise ConfigurationError(
                    "`mlflow.tracking_uri` holds credentials, and would be stored with the study; put them in "
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the whole URI in MLFLOW_TRACKING_URI"
                )
            return uri

    summary: ClassVar[str] = "Mirror of the study in MLflow."

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options)
        self._writer: WriterProcess | None = None
        self._assignment: Assignment | None = None
        self._place: Place | None = None
        self._name = ""
        self._asked = 0

    def study_started(self, study: Study, progress: Progress) -> None:
        """Start the writer."""
        if importlib.util.find_spec("mlflow") is None:
            log.warning("mlflow is not installed: the study is not mirrored (install it, or search with --no-mlflow)")
            return
        self._name, options = study.name, self.options
        self._place = place_of(study.store.url, options.tracking_uri)
        self._assignment = Assignment(
            study.store.url, study.name, options.tracking_uri, options.children, True, options.patience
        )
        self._writer = WriterProcess(self._assignment)

    def trial_started(self, trial: Trial) -> None:
        """Count the trials, to know at the end how many are missing."""
        self._asked = max(self._asked, trial.number + 1)

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        """Say once when the writer is broken."""
        writer = self._writer
        if writer is not None and writer.exit_code not in (None, 0):
            log.warning("%s is no longer mirrored in MLflow: %s; %s", self._name, writer.trouble, self._remedy)
            self._writer = None

    def study_finished(self, state: str, progress: Progress) -> None:
        """Wait a moment for the writer, and say how far it is, or that MLflow is absent, when that was too short."""
        if self._writer is None or self._assignment is None or self._place is None:
            return
        if self._writer.exit_code is not None:
            self._writer = WriterProcess(self._assignment)
        wait: float | None = self.options.wait
        if wait is None:
            wait = min(_LONGEST_WAIT, _WAIT_SHARE * progress.elapsed)
        self._writer.wait(wait)
        status, trouble = self._writer.status, self._writer.trouble
        if self._place.is_server and not status.run_id and self._writer.exit_code != 0:
            absence = server.trouble_at(self._place)  # a writer that has just started does not know yet
            trouble = f"it does not answer ({absence})" if absence else trouble
        behind = f"MLflow at {self._place.display_uri} shows {status.told} of {max(self._asked, status.told)} trials"
        if trouble:
            log.warning("%s of %s: %s; %s", behind, self._name, trouble, self._remedy)
        elif self._writer.exit_code is None:
            log.info("%s of %s yet; the rest follows in the background", behind, self._name)

    def comparison_finished(self, comparison: Comparison) -> None:
        """Write the comparison's run; waits a moment, and leaves the rest to the writer."""
        if importlib.util.find_spec("mlflow") is None:
            log.warning("mlflow is not installed: the comparison is not mirrored (use --no-mlflow to leave it out)")
            return
        self._name, options = comparison.name, self.options
        self._place = place_of(comparison.store.url, options.tracking_uri)
        assignment = Assignment(
            comparison.store.url, comparison.name, options.tracking_uri, "none", True, options.patience, True
        )
        self._writer = WriterProcess(assignment)
        self._writer.wait(_LONGEST_WAIT if options.wait is None else options.wait)
        if self._writer.trouble:
            where = f"{self._name} is not in MLflow at {self._place.display_uri}"
            log.warning("%s: %s; %s", where, self._writer.trouble, self._remedy)
        elif self._writer.exit_code is None:
            log.info("%s is being written to MLflow in the background", self._name)

    def model_trained(self, study: Study, model: TrainedModel, task: Task) -> None:
        """Write the model's run, with the model in it, below that of its study; it is waited for."""
        if importlib.util.find_spec("mlflow") is None:
            log.warning("mlflow is not installed: the model is not logged (use --no-mlflow to leave it out)")
            return
        from automl_plugins.trackers._mlflow_mirror.connection import TROUBLE
        from automl_plugins.trackers._mlflow_mirror.models import log_model

        place = place_of(study.store.url, self.options.tracking_uri)
        which = f"trial {model.record.trial} (seed {model.record.seed})"
        try:
            if reason := log_model(study, model, task, place):
                log.warning("MLflow has %s as weights alone, since torch cannot trace it: %s", which, reason)
        except TROUBLE as trouble:
            reason = (str(trouble).strip().splitlines() or [type(trouble).__name__])[0]
            log.warning("%s is not in MLflow at %s: %s; the model is safe", which, place.display_uri, reason)

    def join(self, seconds: float) -> bool:
        """Wait until the writer has ended, at most ``seconds``; say whether all is mirrored."""
        return self._writer is not None and self._writer.wait(seconds) and self._writer.exit_code == 0

    @property
    def _remedy(self) -> str:
        return f"the study itself is safe; `automl mlflow sync {self._name}` mirrors it when MLflow is back"

    @classmethod
    def sync(
        cls,
        study: Study,
        *,
        children: Children = "auto",
        tracking_uri: str | None = None,
        on_progress: Callable[[int], None] | None = None,
    ) -> SyncReport:
        """Bring the mirror of ``study`` up to date, from nothing if need be; what is there already is left as it is.

        Args:
            study: the study; it may be running.
            children: see the option.
            tracking_uri: see the option.
            on_progress: called now and then with the number of told trials that are mirrored.

        Raises:
            AutomlError: MLflow cannot be reached, or another process is mirroring the study.
            ConfigurationError: the tracking URI cannot be used.
        """
        if importlib.util.find_spec("mlflow") is None:
            raise AutomlError("mlflow is not installed; install it with `pip install mlflow`")
        assignment = Assignment(study.store.url, study.name, tracking_uri, children, False, _SYNC_PATIENCE)
        return cls._synced(assignment, study.definition.project, on_progress)

    @classmethod
    def sync_comparison(cls, comparison: Comparison, *, tracking_uri: str | None = None) -> SyncReport:
        """Write the run of ``comparison`` anew, with what its finished studies show; see `sync` for what is raised."""
        if importlib.util.find_spec("mlflow") is None:
            raise AutomlError("mlflow is not installed; install it with `pip install mlflow`")
        comparison.report()  # so that a comparison with nothing to show yet says so here
        store = comparison.store
        assignment = Assignment(store.url, comparison.name, tracking_uri, "none", False, _SYNC_PATIENCE, True)
        return cls._synced(assignment, comparison.definition.base.project, None)

    @classmethod
    def _synced(cls, assignment: Assignment, project: str, on_progress: Callable[[int], None] | None) -> SyncReport:
        place = place_of(assignment.storage, assignment.tracking_uri)
        writer = WriterProcess(assignment)

        def watch(status: Status) -> None:
            if on_progress is not None:
                on_progress(status.told)

        try:
            writer.wait(_FOREVER, watch)
        finally:
            if writer.exit_code is None:
                writer.stop()
        if writer.exit_code != 0:
            what = "comparison" if assignment.is_comparison else "study"
            raise AutomlError(
                f"{what} {assignment.study!r} could not be mirrored to {place.display_uri}: {writer.trouble}; "
                "what was written stays, and the next `automl mlflow sync` goes on from there"
            )
        status = writer.status
        watch(status)
        return SyncReport(
            place.display_uri,
            project,
            status.experiment_id,
            status.run_id,
            status.told,
            status.created,
            status.updated,
        )

    @classmethod
    def tracking_uri(cls, storage: str, *, tracking_uri: str | None = None) -> str:
        """Return where the studies of ``storage`` are mirrored, without a password."""
        return place_of(storage, tracking_uri).display_uri

    @classmethod
    def standing(cls, storage: str, studies: Sequence[Study], *, tracking_uri: str | None = None) -> Standing:
        """Return where the mirror of ``storage`` is, and with which of its ``studies`` it is behind; writes nothing.

        Raises:
            ConfigurationError: the tracking URI cannot be used.
        """
        if importlib.util.find_spec("mlflow") is None:
            raise AutomlError("mlflow is not installed; install it with `pip install mlflow`")
        return standing_at(place_of(storage, tracking_uri), studies)

    @classmethod
    def pages(cls, study: Study | Comparison, *, address: str = _LOCAL_UI) -> list[tuple[str, str]]:
        """Return title and address of each page of the MLflow UI about ``study``; none when nothing is mirrored yet.

        ``address`` is where `automl ui` serves a mirror in a database; a tracking server has its own. Nothing is
        written, and MLflow is not imported.

        Raises:
            ConfigurationError: the tracking URI cannot be used.
        """
        base = study.definition.base if isinstance(study, Comparison) else study.definition
        mirrored = next((spec.options for spec in base.trackers if spec.name == "mlflow"), {})
        place = place_of(study.store.url, mirrored.get("tracking_uri"))
        found = experiment_at(place, base.project)
        server_address = place.display_uri if place.is_server else address
        return [] if found is None else pages_at(server_address, found.id, found.tags, study.record.uid)

    @classmethod
    def ui_command(
        cls, storage: str, *, tracking_uri: str | None = None, host: str = "127.0.0.1", port: int = 5000
    ) -> list[str]:
        """Return the command that serves the MLflow UI of the mirror of ``storage``."""
        return server.ui_command(place_of(storage, tracking_uri), host, port)

    @classmethod
    def serve_ui(
        cls,
        storage: str,
        *,
        tracking_uri: str | None = None,
        host: str = "127.0.0.1",
        port: int = 5000,
        seconds: float = 90.0,
    ) -> UiServer:
        """Start the MLflow UI on the mirror of ``storage`` and return when it answers; the caller stops it.

        When the mirror is on a tracking server, that server's address is returned and nothing is started.

        Raises:
            ConfigurationError: the port is taken, the tracking server does not answer, or its URI cannot be used.
            AutomlError: it did not answer within ``seconds``; says its last words.
        """
        return server.serve(place_of(storage, tracking_uri), host=host, port=port, seconds=seconds)
