"""``automl resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from automl.cli import _options as options

if TYPE_CHECKING:
    from automl.study import Study

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
    from automl.cli._conduct import conduct, show_information
    from automl.cli._counts import is_spent
    from automl.storage.store import Store

    given: dict[str, Any] = {
        "workers": workers,
        "devices": options.device_names(devices),
        "timeout": timeout,
        "memory_limit": memory_limit,
    }
    found = load_study(study, store=Store(storage, durability=durability.value, create=False))
    _check_budget(found, trials, time)
    if is_spent(found, trials=trials, time=time):
        return _say_complete(found, storage, as_json=as_json)
    show_information(as_json=as_json, quiet=quiet)
    return conduct(
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


def _check_budget(study: Study, trials: int | None, time: float | None) -> None:
    """Refuse a new budget that is spent already."""
    from automl.cli._output import seconds
    from automl.errors import UsageError

    done, elapsed = study.spent, study.record.elapsed
    if trials is not None and trials <= done:
        raise UsageError(f"--trials {trials}: {done} are done already; name more")
    if time is not None and time <= elapsed:
        raise UsageError(f"--time: {seconds(elapsed)} are spent already; name more")


def _say_complete(study: Study, storage: str, *, as_json: bool) -> None:
    import sys

    from automl.cli._counts import budget_text, larger_budget
    from automl.cli._output import print_json
    from automl.cli._program import command

    if as_json:
        print_json(study.summary_json())
    extend = command("resume", study.name, larger_budget(study), storage=storage)
    print(f"study {study.name} is complete ({budget_text(study)}); extend it with: {extend}", file=sys.stderr)
