"""``automl search``."""

from __future__ import annotations

import typer

from automl.cli import _options as options
from automl.cli._flags import Flags

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="search")
def search(
    space: options.Space = None,
    strategy: options.Strategy = None,
    task: options.Task = None,
    data: options.Data = None,
    target: options.TargetColumn = None,
    evaluators: options.Evaluators = None,
    trials: options.Trials = None,
    time: options.Time = None,
    seed: options.Seed = None,
    objectives: options.Objectives = None,
    constraints: options.Constraints = None,
    reference: options.Reference = None,
    settings: options.Settings = None,
    config: options.Config = None,
    workers: options.Workers = None,
    devices: options.Devices = None,
    deterministic: options.Deterministic = False,
    timeout: options.Timeout = None,
    memory_limit: options.MemoryLimit = None,
    study: options.NewStudyName = None,
    project: options.Project = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.DurabilityChoice = options.Durability.FULL,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    mlflow_children: options.MlflowChildrenChoice = None,
    debug: options.Debug = False,
) -> None:
    """Search for architectures."""
    from automl.cli._conduct import search_and_report

    flags = Flags(
        study=study,
        project=project,
        space=space,
        strategy=strategy,
        task=task,
        data=data,
        target=target,
        evaluators=evaluators or (),
        trials=trials,
        time=time,
        seed=seed,
        objectives=objectives or (),
        constraints=constraints or (),
        reference=reference or (),
        workers=workers,
        devices=devices,
        deterministic=deterministic,
        timeout=timeout,
        memory_limit=memory_limit,
        settings=settings or (),
        no_mlflow=no_mlflow,
        mlflow_children=mlflow_children,
    )
    search_and_report(config, flags, storage=storage, durability=durability.value, as_json=as_json, quiet=quiet)
