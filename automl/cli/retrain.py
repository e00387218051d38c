"""``automl retrain``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="retrain")
def retrain(
    study: options.StudyName,
    trial: options.BestOrTrial = "best",
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Passes over the data; as in the search by default.")
    ] = None,
    seeds: Annotated[
        int, typer.Option(min=1, max=100, metavar="K", help="Trainings, each with a seed of its own.")
    ] = 3,
    ensemble: Annotated[
        int | None,
        typer.Option(min=2, max=50, metavar="K", help="Train this many good architectures that differ; average them."),
    ] = None,
    evaluator: Annotated[
        str | None, typer.Option(metavar="NAME", help="What trains; the study's own evaluator by default.")
    ] = None,
    task: Annotated[str | None, typer.Option(metavar="NAME", help="Task; the study's own by default.")] = None,
    data: options.Data = None,
    target: options.TargetColumn = None,
    settings: options.Settings = None,
    device: Annotated[
        str | None, typer.Option(metavar="NAME", help="Torch device, as cuda:0; the best there is by default.")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace models that were trained with other settings.")
    ] = False,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Train a found architecture to keep, on all data but the test split, and test it.

    Training and validation examples are learnt from together, for a fixed number of epochs; nothing is chosen. The test
    split is looked at once, at the end. The same command goes on after an interruption, and shows the result when there
    is nothing left to do.
    """
    from automl.cli._retrain import Wish, retrain_and_report

    wish = Wish(
        study=study,
        trial=trial,
        epochs=epochs,
        seeds=seeds,
        ensemble=ensemble,
        evaluator=evaluator,
        task=task,
        data=data,
        target=target,
        settings=tuple(settings or ()),
        device=device,
        replace=replace,
        no_mlflow=no_mlflow,
    )
    retrain_and_report(wish, storage=storage, as_json=as_json, quiet=quiet)
