"""``automl export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="export")
def export(
    study: options.StudyName,
    trial: options.BestOrTrial = "best",
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "--format", metavar="NAME", help="pt2, onnx, safetensors, python, ...; pt2 by default. Repeatable."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FOLDER", help="Where to; by default STUDY-trial-N in the current folder."),
    ] = None,
    ensemble: Annotated[
        int | None,
        typer.Option(min=2, max=50, metavar="K", help="The ensemble that `retrain --ensemble K` made, as one network."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Which training: that with this seed; the first by default.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FORMAT.OPTION=VALUE", help="Set an option: onnx.opset=18. Repeatable."),
    ] = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Write a retrained network as PyTorch, ONNX or Python source, verified, with a model card.

    Every format is loaded in a fresh process and its outputs are compared with the network's. One that differs is
    left in the folder and has exit code 5.
    """
    from automl.cli._export import export_and_report

    export_and_report(
        study, trial, formats or ["pt2"], out, seed, settings or (), storage, ensemble=ensemble, as_json=as_json
    )
