"""``automl mlflow``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from automl.cli import _options as options
from automl.cli._usage import Group

if TYPE_CHECKING:
    from automl.comparison.comparison import Comparison

app = typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


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
    """Bring the MLflow mirror of a study or a comparison up to date, from nothing if need be."""
    from automl.api import load_study
    from automl.comparison.comparison import Comparison
    from automl.plugins import registry
    from automl.storage.store import Store

    store = Store(storage, create=False)
    if store.comparisons.find(study) is not None:
        return _sync_comparison(Comparison(store, study), tracking_uri)
    found = load_study(study, store=store)
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
    return None


def _sync_comparison(comparison: Comparison, tracking_uri: str | None) -> None:
    from automl.plugins import registry

    specs = comparison.definition.base.trackers
    mirrored = next((spec.options for spec in specs if spec.name == "mlflow"), {})
    tracker = registry().load("tracker", "mlflow")
    report = tracker.sync_comparison(comparison, tracking_uri=tracking_uri or mirrored.get("tracking_uri"))
    print(f"comparison {comparison.name} is in {report.tracking_uri}, experiment {report.experiment!r}")
