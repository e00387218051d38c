"""Starting the MLflow UI on a mirror, and waiting until it answers."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from automl import AutomlError, ConfigurationError
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.reading import experiment_by_rest
from automl_plugins.trackers._mlflow_mirror.views import pages_at

_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0
_ANSWER_SECONDS = 2.0
_GUARDED = (401, 403)


@dataclass
class UiServer:
    """A user interface that answers at ``address``; ``process`` is ``None`` when it ran already (a tracking server)."""

    address: str
    process: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = field(default=None, repr=False)

    def runs_address(self, experiment: str) -> str | None:
        """Return where the runs of ``experiment`` are listed; ``None`` when it is not there or needs a login."""
        found = experiment_by_rest(self.address, experiment)
        return None if found is None else f"{self.address}/#/experiments/{found.id}/runs"

    def pages(self, experiment: str, uid: str) -> list[tuple[str, str]]:
        """Return title and address of each page about the study or comparison ``uid``; none when it is not there."""
        found = experiment_by_rest(self.address, experiment)
        return [] if found is None else pages_at(self.address, found.id, found.tags, uid)

    def wait(self) -> int:
        """Wait until the server ends, and return its exit code; returns at once when it is not ours."""
        return 0 if self.process is None else self.process.wait()

    def stop(self) -> None:
        """Stop the server, with the processes it started, if it is ours."""
        if self.process is None or self.process.poll() is not None:
            return
        group = self.process.pid  # it leads a group of its own, in which are all the processes it started
        try:
            os.killpg(group, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
            self.process.wait()


def ui_command(place: Place, host: str, port: int) -> list[str]:
    """Return the command that serves the MLflow UI on ``place``."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", place.uri]
    if place.artifacts is not None:
        command += ["--default-artifact-root", place.artifacts]
    return [*command, "--host", host, "--port", str(port), "--workers", "1"]


def serve(place: Place, *, host: str, port: int, seconds: float) -> UiServer:
    """Start the UI and return when it answers; see `automl_plugins.trackers.mlflow.Mlflow.serve_ui`."""
    if place.is_server:
        if trouble := trouble_at(place):
            raise ConfigurationError(
                f"MLflow at {place.display_uri} does not answer ({trouble}); start it there, or name another place "
                "with --tracking-uri or MLFLOW_TRACKING_URI"
            )
        return UiServer(place.display_uri)
    _check_free(host, port)
    output = tempfile.TemporaryFile()  # noqa: SIM115 - the server writes to it as long as it runs
    environment = {
        **os.environ,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }
    process = subprocess.Popen(
        ui_command(place, host, port),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=environment,
        start_new_session=True,
    )
    server = UiServer(f"http://{host}:{port}", process, output)
    deadline = time.monotonic() + seconds
    try:
        while _trouble(server.address):
            if process.poll() is not None or time.monotonic() > deadline:
                raise AutomlError(f"the MLflow UI did not start on {server.address}:\n{_last_lines(output)}")
            time.sleep(_POLL_SECONDS)
    except BaseException:  # also Ctrl-C, which does not reach the server
        server.stop()
        raise
    return server


def trouble_at(place: Place) -> str:
    """Return why the tracking server at ``place`` does not answer, in a few words; empty when it does."""
    return _trouble(place.display_uri)


def _check_free(host: str, port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot serve the MLflow UI on {host}:{port}: {error.strerror or error}; "
                f"choose another port (--port {port + 1}), or open http://{host}:{port} if it is already served there"
            ) from None


def _trouble(address: str) -> str:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=_ANSWER_SECONDS) as reply:
            return "" if reply.status == 200 else f"HTTP status {reply.status}"
    except urllib.error.HTTPError as error:
        return "" if error.code in _GUARDED else f"HTTP status {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLError):
            return ""  # It answers; which certificates to trust is set for MLflow and the browser, not here.
        return str(getattr(reason, "strerror", None) or reason)


def _last_lines(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    text = os.pread(output.fileno(), 2_000, max(0, size - 2_000)).decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-5:])
