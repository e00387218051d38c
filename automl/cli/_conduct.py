"""Running a study from the command line: progress, signals, the ending and its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from automl.api import create, found_or_made, go_on
from automl.cascade import Interrupted
from automl.cli._draft import draft_of, prepared_study
from automl.cli._expect import Check, exit_unless_held, print_verdicts, verdicts_json
from automl.cli._flags import Flags
from automl.cli._output import print_json
from automl.cli._program import command
from automl.cli._report import print_ending
from automl.cli._signals import stop_on_signals
from automl.engine import Stopper
from automl.errors import ExitCode, StoreError
from automl.expectations import Verdict
from automl.figures import study_figure_names, study_figures
from automl.plugins import registry
from automl.runner import run
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.studyfile import StudyFile, read_study_file
from automl.tracker import Tracker

log = logging.getLogger("automl")

Work = Callable[[Sequence[Tracker], Stopper], object]


def search_and_report(
    config: Path | None, flags: Flags, *, storage: str, durability: Durability, as_json: bool, quiet: bool
) -> None:
    """Check and write the study of a study file and flags, run it, print its ending and exit with its code."""
    show_information(as_json=as_json, quiet=quiet)
    file = None if config is None else read_study_file(config)
    draft = draft_of(file, flags)
    prepared = prepared_study(draft)
    with saying_how_to_go_on(prepared.definition.name, storage):
        study = create(prepared, Store(storage, durability=durability))
    conduct(
        study,
        lambda trackers, stopper: run(study, prepared, extra_trackers=trackers, stopper=stopper),
        storage=storage,
        as_json=as_json,
        quiet=quiet,
    )


def search_and_check(
    file: StudyFile, flags: Flags, *, storage: str, durability: Durability, as_json: bool, quiet: bool
) -> None:
    """Run the study of a study file, and say of each band in ``[expect]`` whether it holds.

    The study is called after the file unless it has a name, so that the same command finds it again: one that has ended
    is not run again, and one that was interrupted goes on.

    Raises:
        UsageError: there is a study of that name with another definition.
        typer.Exit: the code is not 0.
    """
    show_information(as_json=as_json, quiet=quiet)
    check = Check.of(file)
    draft = draft_of(file, flags)
    draft.values["name"] = draft.values["name"] or file.path.stem
    prepared = prepared_study(draft)
    declared = prepared.cascade.declared()
    check.at_the_door(study_figure_names(declared))
    store = Store(storage, durability=durability)
    study, is_new = found_or_made(prepared, store)

    def work(trackers: Sequence[Tracker], stopper: Stopper) -> object:
        if is_new:
            return run(study, prepared, extra_trackers=trackers, stopper=stopper)
        if study.state in (StudyState.COMPLETED, StudyState.EXHAUSTED):
            return None
        return go_on(study, extra_trackers=trackers, stopper=stopper)

    conduct(
        study,
        work,
        storage=storage,
        as_json=as_json,
        quiet=quiet,
        judge=lambda: check.verdicts(study_figures(study, declared)),
    )


def conduct(
    study: Study,
    work: Work,
    *,
    storage: str,
    as_json: bool,
    quiet: bool,
    judge: Callable[[], Sequence[Verdict]] | None = None,
) -> None:
    """Do ``work`` on ``study`` under signals and a progress display, then print the ending.

    Args:
        study: it exists, whether or not it has begun.
        work: what runs it.
        storage: the store as typed, for the commands that are suggested.
        as_json: print JSON instead of tables.
        quiet: show no progress.
        judge: what says whether the study's figures are as expected, once it has ended.

    Raises:
        typer.Exit: always when the code is not 0: interrupted, not as expected, or nothing feasible found.
    """
    is_interrupted = carried_out(study, work, storage=storage, quiet=quiet)
    verdicts = None if judge is None or is_interrupted else judge()
    if as_json:
        print_json({**study.summary_json(), **({} if verdicts is None else verdicts_json(verdicts))})
    elif not is_interrupted:
        print_ending(study, storage)
        if verdicts is not None:
            print_verdicts(verdicts)
    if is_interrupted:
        exit_interrupted(study, storage)
    if verdicts is not None:
        return exit_unless_held(verdicts)
    if not study.best:
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE)


def carried_out(study: Study, work: Work, *, storage: str, quiet: bool) -> bool:
    """Do ``work`` on ``study`` under signals and a progress display, and say whether it was interrupted."""
    stopper = Stopper()
    go_on = command("resume", study.name, storage=storage)
    trackers = () if quiet else (registry().load("tracker", "progress")(),)
    try:
        with saying_how_to_go_on(study.name, storage), stop_on_signals(stopper, go_on):
            work(trackers, stopper)
    except Interrupted:
        stopper.request()
    return stopper.is_requested() and study.state is StudyState.INTERRUPTED


def exit_interrupted(study: Study, storage: str) -> NoReturn:
    """Say how to go on, and raise `typer.Exit` with the code of an interrupt."""
    print(f"interrupted; continue with: {command('resume', study.name, storage=storage)}", file=sys.stderr)
    raise typer.Exit(ExitCode.INTERRUPTED)


def show_information(*, as_json: bool, quiet: bool) -> None:
    """Log from the level INFO on, such as what a task understood of its data, unless nothing but results is wanted."""
    if not (as_json or quiet) and log.level > logging.INFO:
        log.setLevel(logging.INFO)


@contextmanager
def saying_how_to_go_on(name: str | None, storage: str) -> Iterator[None]:
    """Add the whole command to a `StoreError` that suggests ``automl resume`` and cannot know what to type here."""
    try:
        yield
    except StoreError as error:
        if name is not None and "`automl resume" in str(error):
            error.add_note(f"here: {command('resume', name, storage=storage)}")
        raise
