"""Running a study from the command line: progress, signals, the ending and its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from automl.api import create
from automl.cascade import Interrupted
from automl.cli._draft import draft_of, prepared_study
from automl.cli._flags import Flags
from automl.cli._output import print_json
from automl.cli._program import command
from automl.cli._report import print_ending
from automl.cli._signals import stop_on_signals
from automl.engine import Stopper
from automl.errors import ExitCode, StoreError
from automl.plugins import registry
from automl.runner import run
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.studyfile import read_study_file
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


def conduct(study: Study, work: Work, *, storage: str, as_json: bool, quiet: bool) -> None:
    """Do ``work`` on ``study`` under signals and a progress display, then print the ending.

    Raises:
        typer.Exit: always when the code is not 0: interrupted, or nothing feasible found.
    """
    stopper = Stopper()
    go_on = command("resume", study.name, storage=storage)
    trackers = () if quiet else (registry().load("tracker", "progress")(),)
    try:
        with saying_how_to_go_on(study.name, storage), stop_on_signals(stopper, go_on):
            work(trackers, stopper)
    except Interrupted:
        stopper.request()
    is_interrupted = stopper.is_requested() and study.state is StudyState.INTERRUPTED
    if as_json:
        print_json(study.summary_json())
    elif not is_interrupted:
        print_ending(study, storage)
    if is_interrupted:
        print(f"interrupted; continue with: {go_on}", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not study.best:
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE)


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
