"""Running a comparison from the command line: progress, signals, report, files, the ending and its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from automl.cascade import Interrupted
from automl.cli._comparison_draft import ComparisonFlags, comparison_draft, redefined, workshop_of
from automl.cli._comparison_progress import ComparisonProgress
from automl.cli._comparison_report import print_report
from automl.cli._conduct import saying_how_to_go_on, show_information
from automl.cli._expect import ComparisonCheck, exit_unless_held, print_result
from automl.cli._flags import Flags
from automl.cli._program import command
from automl.cli._signals import stop_on_signals
from automl.comparison.comparison import Comparison, load_comparison
from automl.comparison.definition import CONTROL
from automl.comparison.files import report_folder, report_json, write_files
from automl.comparison.run import announce, run, write
from automl.comparison.workshop import StudyFailed, Workshop
from automl.engine import Stopper
from automl.environment import use_files_of
from automl.errors import ExitCode, StoreError, UsageError
from automl.expectations import Verdict
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.studyfile import StudyFile, read_study_file

log = logging.getLogger("automl")


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a comparison is run and reported: nothing of this changes its outcome."""

    storage: str
    durability: Durability | None = None
    jobs: int = 1
    out: Path | None = None
    as_json: bool = False
    quiet: bool = False
    check: ComparisonCheck | None = None


def compare_or_report(
    config: Path | None, flags: Flags, chosen: ComparisonFlags, manner: Manner, *, report_only: bool
) -> None:
    """Do what `automl compare` is asked for; raises `UsageError` when that makes no sense."""
    name, is_defined = flags.study, config is not None or bool(chosen.strategies)
    if report_only:
        if name is None or is_defined:
            raise UsageError("--report-only needs the NAME of a comparison in the store, and no definition")
        return report_again(name, chosen, manner)
    if name is not None and not is_defined and is_comparison(name, manner.storage):
        go_on = command("resume", name, storage=manner.storage)
        raise UsageError(f"{name!r} is a comparison already; to go on with it, type: {go_on}")
    return compare_and_report(None if config is None else read_study_file(config), flags, chosen, manner)


def compare_and_report(file: StudyFile | None, flags: Flags, chosen: ComparisonFlags, manner: Manner) -> None:
    """Check and write the comparison of a study file and flags, run it, print its report and exit with its code."""
    show_information(as_json=manner.as_json, quiet=manner.quiet)
    draft = comparison_draft(file, flags, chosen)
    workshop = workshop_of(draft)
    if manner.check is not None:
        manner.check.at_the_door_of(workshop.definition)
    if len(workshop.definition.settings.strategies) > len(draft.values["comparison"]["strategies"]):
        log.info("%s is added: it shows what the budget alone is worth", CONTROL)
    comparison = write(workshop, Store(manner.storage, durability=manner.durability or workshop.durability))
    conduct_comparison(comparison, workshop, manner)


def continue_comparison(name: str, manner: Manner, *, without_trackers: tuple[str, ...] = ()) -> None:
    """Go on with a comparison of the store, whose definition is all that is needed, and print its report."""
    show_information(as_json=manner.as_json, quiet=manner.quiet)
    loaded = load_comparison(name, storage=manner.storage)
    definition = loaded.definition
    for member in loaded.members:
        use_files_of(member.study, loaded.store.study(member.study).components)
    workshop = Workshop.of(definition, without_trackers=without_trackers)
    store = Store(manner.storage, durability=manner.durability or workshop.durability, create=False)
    conduct_comparison(load_comparison(name, store=store), workshop, manner)


def conduct_comparison(comparison: Comparison, workshop: Workshop, manner: Manner) -> None:
    """Run what is left of ``comparison`` under signals and a progress display; print the report and write its files.

    Raises:
        typer.Exit: it was interrupted, with the code that says so.
    """
    stopper, is_complete = Stopper(), False
    go_on = command("resume", comparison.name, storage=manner.storage)
    try:
        with saying_how_to_go_on(comparison.name, manner.storage), stop_on_signals(stopper, go_on):
            if manner.quiet or comparison.done == len(comparison.members):
                is_complete = run(comparison, workshop, jobs=manner.jobs, stopper=stopper)
            else:
                with ComparisonProgress(comparison).shown() as progress:
                    is_complete = run(
                        comparison, workshop, jobs=manner.jobs, stopper=stopper, on_study=progress.study_ended
                    )
    except Interrupted:
        stopper.request()
    except StudyFailed as error:
        error.add_note(f"the rest is safe; continue with: {go_on}")
        raise
    if not is_complete:
        print(
            f"interrupted after {comparison.done} of {len(comparison.members)} studies; continue with: {go_on}",
            file=sys.stderr,
        )
        raise typer.Exit(ExitCode.INTERRUPTED)
    verdicts = report_and_write(comparison, manner)
    announce(comparison, workshop.trackers)
    exit_unless_held(verdicts)


def report_and_write(comparison: Comparison, manner: Manner) -> tuple[Verdict, ...]:
    """Print the report of a comparison, write its files, and return whether it is as expected."""
    report = comparison.report()
    paths = write_files(report, manner.out or report_folder(comparison))
    verdicts = None if manner.check is None else manner.check.verdicts_on(report)

    def as_json() -> Mapping[str, Any]:
        return {**report_json(report), "files": [str(path) for path in paths]}

    return print_result(verdicts, as_json if manner.as_json else None, lambda: print_report(report, paths))


def report_again(name: str, chosen: ComparisonFlags, manner: Manner) -> None:
    """Make the report of a comparison again from what is in the store, with other checkpoints and the like if given."""
    comparison = load_comparison(name, storage=manner.storage)
    report_and_write(Comparison(comparison.store, name, redefined(comparison.definition, chosen)), manner)


def is_comparison(name: str, storage: str) -> bool:
    """Say whether the store has a comparison of that name."""
    try:
        load_comparison(name, storage=storage)
    except StoreError:  # there may be no store yet
        return False
    return True
