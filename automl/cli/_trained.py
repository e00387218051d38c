"""What `automl show` says about the trained models of a trial."""

from __future__ import annotations

from typing import Any

from automl.cli._output import console, number, seconds, table
from automl.cli._retrain_report import model_json, print_explanation, shown
from automl.models.trained import TrainedModel, trained_models
from automl.study import Study


def models_json(study: Study, trial: int) -> list[dict[str, Any]]:
    """Return what ``show --json`` says of a trial's models."""
    return [model_json(model) for model in trained_models(study, trial)]


def print_models(study: Study, trial: int) -> None:
    """Print a trial's models with their test metrics, and what the first one says; nothing where there are none."""
    models = trained_models(study, trial)
    if not models:
        return
    names = list(dict.fromkeys(name for model in models for name in model.record.metrics))
    rows = [
        [
            str(model.record.seed),
            *(number(model.record.metrics.get(name)) for name in names),
            str(model.record.training.options.get("epochs", "")),
            seconds(model.record.seconds),
            shown(model.folder),
        ]
        for model in models
    ]
    columns = ["seed", *names, "epochs", "time", "folder"]
    out = console()
    out.print()
    out.print(table("Trained models", columns, rows, right=columns[:-1]))
    print_explanation(_explained(models))


def _explained(models: list[TrainedModel]) -> TrainedModel:
    return next((model for model in models if model.explanation), models[0])
