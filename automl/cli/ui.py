"""``automl ui``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="ui")
def ui(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Port to serve on.")] = 5000,
    storage: options.Storage = options.DEFAULT_STORAGE,
    tracking_uri: options.TrackingUri = None,
    debug: options.Debug = False,
) -> None:
    """Open the MLflow user interface.

    It shows the mirror of the studies in a store, and is served until Ctrl-C.
    """
    import signal

    from automl.plugins import registry
    from automl.storage.database import store_url

    # A signal does not reach the server with this process: whatever ends this one must stop that one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    tracker = registry().load("tracker", "mlflow")
    try:
        server = tracker.serve_ui(store_url(storage), tracking_uri=tracking_uri, host=host, port=port)
    except KeyboardInterrupt:
        return
    try:
        print(f"MLflow answers at {server.address}", flush=True)
        project = _newest_project(storage)
        if project is not None and (runs := server.runs_address(project)) is not None:
            print(f"The runs of {project} are at {runs}", flush=True)
        if server.process is not None:
            print("Ctrl-C stops it", flush=True)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


def _newest_project(storage: str) -> str | None:
    from automl.errors import AutomlError
    from automl.storage.store import Store

    try:
        store = Store(storage, create=False)
        studies = store.studies()
        store.close()
    except AutomlError:
        return None
    return str(studies[-1].definition["project"]) if studies else None
