"""``automl replay``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="replay")
def replay(
    bundle: Annotated[Path, typer.Argument(metavar="FILE.zip", help="A bundle, as `automl bundle` writes it.")],
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Go on where versions or data differ, which is refused otherwise.")
    ] = False,
    tolerance: Annotated[
        float, typer.Option(min=0, metavar="SHARE", help="Relative difference up to which metrics count as equal.")
    ] = 0.0,
    devices: options.Devices = None,
    settings: options.Settings = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A store of its own; by default FILE-replay.db in the current folder."),
    ] = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Run the study of a bundle again, and say whether it finds the same.

    It goes on where an interrupted replay stopped. Exits with 5 if a trial differs.
    """
    from automl.cli._replay import Wish, replay_and_report

    wish = Wish(
        bundle=bundle,
        anyway=anyway,
        tolerance=tolerance,
        devices=options.device_names(devices),
        settings=tuple(settings or ()),
        storage=storage or f"{bundle.stem}-replay.db",
    )
    replay_and_report(wish, as_json=as_json, quiet=quiet)
