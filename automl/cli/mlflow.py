"""``automl mlflow``."""

from __future__ import annotations

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def mlflow() -> None:
    """Work with the MLflow mirror of studies."""


@app.command(name="sync")
def sync(
    study: options.StudyName,
    storage: options.Storage = options.DEFAULT_STORAGE,
    tracking_uri: options.TrackingUri = None,
    mlflow_children: options.MlflowChildrenChoice = None,
    debug: options.Debug = False,
) -> None:
    """Bring the MLflow mirror of a study up to date, from nothing if need be."""
    from automl.api import load_study
    from automl.plugins import registry

    found = load_study(study, storage=storage)
    mirrored = next((spec.options for spec in found.definition.trackers if spec.name == "mlflow"), {})
    report = (
        registry()
        .load("tracker", "mlflow")
        .sync(
            found,
            children=mlflow_children or mirrored.get("children", "auto"),
            tracking_uri=tracking_uri or mirrored.get("tracking_uri"),
        )
    )
    print(
        f"{report.trials} trials of {study} are in {report.tracking_uri}, experiment {report.experiment!r}: "
        f"{report.created} runs created, {report.updated} updated"
    )
