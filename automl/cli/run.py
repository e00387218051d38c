"""``automl run``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options
from automl.cli._flags import Flags

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="run")
def run(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME_OR_FILE]", help="A shipped study, or the path of a study file.")
    ] = None,
    trials: options.Trials = None,
    time: options.Time = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    workers: options.Workers = None,
    devices: options.Devices = None,
    study: options.NewStudyName = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.DurabilityChoice = options.Durability.FULL,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Run a study file: one that is shipped, or your own.

    Without a name it lists the shipped ones.
    """
    if name is None:
        return _list_shipped()
    from automl.cli._conduct import search_and_report
    from automl.studyfile import find_study_file

    flags = Flags(
        study=study,
        trials=trials,
        time=time,
        seed=seed,
        settings=settings or (),
        workers=workers,
        devices=devices,
        no_mlflow=no_mlflow,
    )
    path = find_study_file(name)
    return search_and_report(path, flags, storage=storage, durability=durability.value, as_json=as_json, quiet=quiet)


def _list_shipped() -> None:
    from automl.cli._output import console, table
    from automl.studyfile import read_study_file, shipped_studies

    rows = []
    for name, path in shipped_studies().items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        definition = read_study_file(path).definition
        parts = (definition.space.name, definition.strategy.name, definition.task.name)
        rows.append([name, *parts, first.lstrip("# ") if first.startswith("#") else ""])
    console().print(table("Shipped studies", ["name", "space", "strategy", "task", "what it is"], rows))
