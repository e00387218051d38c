"""Running a study from the command line: progress, signals, the ending and its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from automl.api import create
from automl.cascade import Interrupted
from automl.cli._draft import draft_of, prepared_study
from automl.cli._flags import Flags
from automl.cli._output import print_json
from automl.cli._report import command, print_ending
from automl.cli._signals import stop_on_signals
from automl.engine import Stopper
from automl.errors import ExitCode
from automl.plugins import registry
from automl.runner import run
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.studyfile import read_study_file
from automl.tracker import Tracker

Work = Callable[[Sequence[Tracker], Stopper], object]


def search_and_report(
    config: Path | None, flags: Flags, *, storage: str, durability: Durability, as_json: bool, quiet: bool
) -> None:
    """Check and write the study of a study file and flags, run it, print its ending and exit with its code."""
    file = None if config is None else read_study_file(config)
    draft = draft_of(file, flags)
    prepared = prepared_study(draft)
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
    trackers = () if quiet else (registry().load("tracker", "progress")(),)
    try:
        with stop_on_signals(stopper):
            work(trackers, stopper)
    except Interrupted:
        stopper.request()
    is_interrupted = stopper.is_requested() and study.state is StudyState.INTERRUPTED
    if as_json:
        print_json(study.summary_json())
    elif not is_interrupted:
        print_ending(study, storage)
    if is_interrupted:
        print(f"interrupted; continue with: {command('resume', study.name, storage=storage)}", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not study.best:
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE)
