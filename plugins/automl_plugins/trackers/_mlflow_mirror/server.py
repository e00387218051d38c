"""Starting the MLflow UI on a mirror, and waiting until it answers."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import IO

from automl import AutomlError, ConfigurationError
from automl_plugins.trackers._mlflow_mirror.places import Place

_POLL_SECONDS = 0.2
_STOP_SECONDS = 5.0


@dataclass
class UiServer:
    """A user interface that answers at ``address``; ``process`` is ``None`` when it ran already (a tracking server)."""

    address: str
    process: subprocess.Popen[bytes] | None = None
    output: IO[bytes] | None = field(default=None, repr=False)

    def wait(self) -> int:
        """Wait until the server ends, and return its exit code; returns at once when it is not ours."""
        return 0 if self.process is None else self.process.wait()

    def stop(self) -> None:
        """Stop the server, with the processes it started, if it is ours."""
        if self.process is None or self.process.poll() is not None:
            return
        import psutil

        family = [*psutil.Process(self.process.pid).children(recursive=True), self.process]
        for member in family:
            member.terminate()
        _, alive = psutil.wait_procs(family[:-1], timeout=_STOP_SECONDS)
        for member in alive:
            member.kill()
        self.process.wait(_STOP_SECONDS)


def ui_command(place: Place, host: str, port: int) -> list[str]:
    """Return the command that serves the MLflow UI on ``place``."""
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", place.uri]
    if place.artifacts is not None:
        command += ["--default-artifact-root", place.artifacts]
    return [*command, "--host", host, "--port", str(port), "--workers", "1"]


def serve(place: Place, *, host: str, port: int, seconds: float) -> UiServer:
    """Start the UI and return when it answers; see `automl_plugins.trackers.mlflow.Mlflow.serve_ui`."""
    if place.is_server:
        return UiServer(place.uri)
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
    while not _answers(server.address):
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            raise AutomlError(f"the MLflow UI did not start on {server.address}:\n{_last_lines(output)}")
        time.sleep(_POLL_SECONDS)
    return server


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


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_lines(output: IO[bytes]) -> str:
    size = os.fstat(output.fileno()).st_size
    text = os.pread(output.fileno(), 2_000, max(0, size - 2_000)).decode(errors="replace")
    return "\n".join(text.strip().splitlines()[-5:])
