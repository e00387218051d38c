"""``automl resume``."""

from __future__ import annotations

from typing import Any

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="resume")
def resume(
    study: options.StudyName,
    trials: options.MoreTrials = None,
    time: options.MoreTime = None,
    workers: options.Workers = None,
    devices: options.Devices = None,
    timeout: options.Timeout = None,
    memory_limit: options.MemoryLimit = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.DurabilityChoice = options.Durability.FULL,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Continue a study, or extend it.

    With a larger budget it goes on from where it ended.
    """
    from automl.api import go_on, load_study
    from automl.cli._conduct import conduct
    from automl.storage.store import Store

    given: dict[str, Any] = {
        "workers": workers,
        "devices": options.device_names(devices),
        "timeout": timeout,
        "memory_limit": memory_limit,
    }
    found = load_study(study, store=Store(storage, durability=durability.value, create=False))
    conduct(
        found,
        lambda trackers, stopper: go_on(
            found,
            trials=trials,
            seconds=time,
            execution={name: value for name, value in given.items() if value is not None},
            extra_trackers=trackers,
            without_trackers=("mlflow",) if no_mlflow else (),
            stopper=stopper,
        ),
        storage=storage,
        as_json=as_json,
        quiet=quiet,
    )
