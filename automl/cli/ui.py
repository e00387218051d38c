"""``automl ui``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="ui")
def ui(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="Study to link to; the newest.")] = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to serve on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="N", help="Port to serve on.")] = 5000,
    storage: options.Storage = options.DEFAULT_STORAGE,
    tracking_uri: options.TrackingUri = None,
    debug: options.Debug = False,
) -> None:
    """Open the MLflow user interface.

    It shows the mirror of the studies in a store, and is served until Ctrl-C. The pages about one study are listed.
    """
    import signal

    from automl.plugins import registry
    from automl.storage.database import store_url

    # A signal does not reach the server with this process: whatever ends this one must stop that one.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    shown = _study_to_show(storage, study)
    tracker = registry().load("tracker", "mlflow")
    try:
        server = tracker.serve_ui(store_url(storage), tracking_uri=tracking_uri, host=host, port=port)
    except KeyboardInterrupt:
        return
    try:
        print(f"MLflow answers at {server.address}", flush=True)
        if shown is not None:
            _print_addresses(server, *shown)
        if server.process is not None:
            print("Ctrl-C stops it", flush=True)
        server.wait()
    except KeyboardInterrupt:
        pass
    finally:
        server.stop()


def _print_addresses(server: Any, name: str, project: str, uid: str) -> None:
    from automl.cli._report import page_lines

    if (runs := server.runs_address(project)) is not None:
        print(f"The runs of {project} are at {runs}", flush=True)
    if pages := server.pages(project, uid):
        print("\n".join([f"{name}:", *page_lines(pages)]), flush=True)


def _study_to_show(storage: str, name: str | None) -> tuple[str, str, str] | None:
    """Return name, project and uid of a study or comparison, by default of the newest study; ``None`` without one."""
    from automl.api import load_study
    from automl.comparison.comparison import Comparison
    from automl.errors import AutomlError
    from automl.storage.store import Store

    try:
        store = Store(storage, create=False)
    except AutomlError:
        if name is not None:
            raise
        return None
    try:
        if name is not None and store.comparisons.find(name) is not None:
            comparison = Comparison(store, name)
            return name, comparison.definition.base.project, comparison.record.uid
        if name is None:
            studies = store.studies()
            if not studies:
                return None
            name = studies[-1].name
        study = load_study(name, store=store)
        return name, study.definition.project, study.record.uid
    finally:
        store.close()
