"""``automl resume``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from automl.cli import _options as options

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    durability: options.AnyDurability = None,
    jobs: options.Jobs = None,
    out: options.Out = None,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Continue a study, or extend it; or continue a comparison or a correlation.

    With a larger budget a study goes on from where it ended.
    """
    from automl.api import go_on, study_to_continue
    from automl.cli._conduct import conduct, show_information
    from automl.cli._counts import is_spent
    from automl.storage.store import Store

    given: dict[str, Any] = {"workers": workers, "devices": options.device_names(devices)}
    given |= {"timeout": timeout, "memory_limit": memory_limit}
    chosen, dropped = options.level(durability), ("mlflow",) if no_mlflow else ()
    store = Store(storage, durability=chosen or "full", create=False)
    if store.comparisons.find(study) is not None:
        from automl.cli._comparison import Manner, continue_comparison

        _refuse_changes(study, {"trials": trials, "time": time, **given})
        manner = Manner(storage=storage, durability=chosen, jobs=jobs or 1, out=out, as_json=as_json, quiet=quiet)
        return continue_comparison(study, manner, without_trackers=dropped)
    found = study_to_continue(study, store)
    if found.definition.correlation is not None:
        shown = {"storage": storage, "durability": chosen, "out": out, "as_json": as_json, "quiet": quiet}
        return _resume_correlation(found, shown, trials, given, dropped, {"--jobs": jobs, "--time": time})
    options.refuse({"--jobs": jobs, "--out": out}, f"it is for comparisons, and {study} is a study")
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
            without_trackers=dropped,
            stopper=stopper,
        ),
        storage=storage,
        as_json=as_json,
        quiet=quiet,
    )


def _resume_correlation(
    study: Study,
    shown: dict[str, Any],
    trials: int | None,
    given: dict[str, Any],
    dropped: tuple[str, ...],
    refused: dict[str, object],
) -> None:
    from automl.cli._correlation import Manner, continue_correlation

    options.refuse(refused, f"{study.name} is a correlation, one study with a number of trials")
    _check_budget(study, trials, None)
    changed = {name: value for name, value in given.items() if value is not None}
    continue_correlation(study, Manner(**shown), trials=trials, execution=changed, without_trackers=dropped)


def _refuse_changes(comparison: str, given: Mapping[str, object]) -> None:
    """Refuse flags that would change the studies of a comparison."""
    flags = {f"--{name.replace('_', '-')}": value for name, value in given.items()}
    options.refuse(flags, f"{comparison} is a comparison, whose studies stay as they were defined")


def _check_budget(study: Study, trials: int | None, time: float | None) -> None:
    """Refuse a new budget that is spent already."""
    from automl.cli._output import seconds
    from automl.errors import UsageError

    done, elapsed = study.spent, study.record.elapsed
    if study.record.comparison_id is not None and (trials is not None or time is not None):
        raise UsageError(f"study {study.name!r} is part of a comparison, whose studies all have the same budget")
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
    if study.record.comparison_id is None:
        what_next = f"extend it with: {command('resume', study.name, larger_budget(study), storage=storage)}"
    else:
        what_next = "it is part of a comparison, whose studies all have the same budget"
    print(f"study {study.name} is complete ({budget_text(study)}); {what_next}", file=sys.stderr)
