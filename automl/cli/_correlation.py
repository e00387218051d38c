"""Running a correlation from the command line: progress, signals, report, files, the ending and its exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from automl.api import go_on, load_study
from automl.cli._conduct import Work, carried_out, exit_interrupted, saying_how_to_go_on, show_information
from automl.cli._correlation_draft import CorrelationFlags, correlation_draft, prepared_draft, reported_settings
from automl.cli._correlation_report import print_correlation
from automl.cli._expect import Check, exit_unless_held, print_result
from automl.cli._flags import Flags
from automl.cli._program import command
from automl.correlation.aggregates import check_aggregators, name_of
from automl.correlation.definition import owner_of, settings_of
from automl.correlation.figures import correlation_figure_names, correlation_figures
from automl.correlation.files import correlation_folder, correlation_json, write_correlation
from automl.correlation.report import CorrelationReport, correlation_report
from automl.correlation.run import ENDED, durability_of, work, write
from automl.correlation.sample import NothingToCorrelate, all_score_names, cascade_of
from automl.definition import Correlation
from automl.engine import Stopper
from automl.errors import ConfigurationError, ExitCode, StoreError, UsageError
from automl.expectations import Verdict
from automl.figures import study_figure_names, study_figures
from automl.recipe import AUTO_TASK
from automl.runner import Prepared
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study
from automl.studyfile import StudyFile, read_study_file
from automl.tracker import Tracker

log = logging.getLogger("automl")


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a correlation is run and reported: nothing of this changes its outcome."""

    storage: str
    durability: Durability | None = None
    out: Path | None = None
    as_json: bool = False
    quiet: bool = False
    check: Check | None = None


def correlate_or_report(config: Path | None, flags: Flags, chosen: CorrelationFlags, manner: Manner) -> None:
    """Do what `automl correlate` is asked for; raises `UsageError` when that makes no sense."""
    has_scores = bool(chosen.proxies or flags.evaluators or config)
    if chosen.finished is not None and not has_scores:
        refused = {"NAME": flags.study, "--space": flags.space, "--sample": flags.trials, "--seed": flags.seed}
        for flag, value in refused.items():
            if value is not None:
                raise UsageError(f"{flag}: nothing is run without --proxy; remove it, or name proxies to score with")
        return report_again(chosen.finished, chosen, manner)
    if not has_scores and flags.study is not None and _is_study(flags.study, manner.storage):
        again = command("correlate", "--study", flags.study, storage=manner.storage)
        resumed = command("resume", flags.study, storage=manner.storage)
        raise UsageError(f"{flags.study!r} is a study already; its report: {again}; to go on with it: {resumed}")
    if chosen.finished is not None and (flags.space is not None or flags.trials is not None):
        flag = "--space" if flags.space is not None else "--sample"
        raise UsageError(f"{flag}: the architectures are those of the study {chosen.finished}; remove it")
    return correlate_and_report(None if config is None else read_study_file(config), flags, chosen, manner)


def correlate_and_report(file: StudyFile | None, flags: Flags, chosen: CorrelationFlags, manner: Manner) -> None:
    """Check and write the study of a correlation, run it, print its report and exit with its code."""
    show_information(as_json=manner.as_json, quiet=manner.quiet)
    draft = correlation_draft(file, flags, chosen)
    if not chosen.is_typed and file is not None:
        draft.values["name"] = draft.values["name"] or file.path.stem
    finished = _finished(chosen.finished or draft.values["correlation"]["study"], manner)
    prepared = prepared_draft(draft, finished)
    settings = settings_of(prepared.definition)
    scores = all_score_names(prepared.cascade, settings, finished)
    try:
        check_aggregators(settings.aggregates, scores, settings.metric or "")
    except ConfigurationError as error:
        raise draft.located(error) from error
    if manner.check is not None:
        manner.check.at_the_door(_figure_names(prepared, settings, scores))
    _warn_of_data(prepared, draft.values["task"]["name"])
    named = prepared.definition.name
    with saying_how_to_go_on(named, manner.storage):
        store = Store(manner.storage, durability=manner.durability or durability_of(prepared))
        study, is_new = write(prepared, store)

    def run(trackers: Sequence[Tracker], stopper: Stopper) -> object:
        return work(study, prepared, is_new=is_new, extra_trackers=trackers, stopper=stopper)

    conduct_correlation(study, run, settings, manner)


def continue_correlation(
    study: Study,
    manner: Manner,
    *,
    trials: int | None = None,
    execution: dict[str, object] | None = None,
    without_trackers: Sequence[str] = (),
) -> None:
    """Go on with the study of a correlation, or enlarge its sample, and print its report."""
    show_information(as_json=manner.as_json, quiet=manner.quiet)

    def run(trackers: Sequence[Tracker], stopper: Stopper) -> object:
        if study.state in ENDED and trials is None:
            return None
        return go_on(
            study,
            trials=trials,
            execution=execution,
            extra_trackers=trackers,
            without_trackers=without_trackers,
            stopper=stopper,
        )

    conduct_correlation(study, run, settings_of(study.definition), manner)


def conduct_correlation(study: Study, run: Work, settings: Correlation, manner: Manner) -> None:
    """Do what is left of ``study``, print the report and write its files.

    Raises:
        typer.Exit: it was interrupted, nothing was measured, or a band does not hold, with the code that says so.
    """
    is_over = study.state in ENDED
    if carried_out(study, run, storage=manner.storage, quiet=manner.quiet or is_over):
        exit_interrupted(study, manner.storage)
    try:
        verdicts = report_and_write(study, settings, manner)
    except NothingToCorrelate as nothing:
        print(f"nothing to report: {nothing}", file=sys.stderr)
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE) from None
    exit_unless_held(verdicts)


def report_and_write(study: Study, settings: Correlation, manner: Manner) -> tuple[Verdict, ...]:
    """Print the report of a correlation, write its files, and return whether it is as expected."""
    report = correlation_report(study, settings)
    paths = write_correlation(report, manner.out or correlation_folder(study))
    verdicts = None if manner.check is None else manner.check.verdicts(_figures(study, report))

    def as_json() -> Mapping[str, Any]:
        return {**correlation_json(report), "files": [str(path) for path in paths]}

    return print_result(verdicts, as_json if manner.as_json else None, lambda: print_correlation(report, paths))


def report_again(name: str, chosen: CorrelationFlags, manner: Manner) -> None:
    """Report on the trials of a study as they are, whatever it was made for."""
    study = load_study(name, storage=manner.storage)
    report_and_write(study, reported_settings(settings_of(study.definition), chosen), manner)


def _finished(name: str | None, manner: Manner) -> Study | None:
    return None if name is None else load_study(name, storage=manner.storage)


def _is_study(name: str, storage: str) -> bool:
    try:
        load_study(name, storage=storage)
    except StoreError:  # there may be no store yet
        return False
    return True


def _warn_of_data(prepared: Prepared, task: str) -> None:
    """Say that scores look at the default data where the metric was measured on data that nobody has named."""
    cascade, metric = prepared.cascade, prepared.definition.correlation
    if task != AUTO_TASK or not cascade.needs_task or metric is None or metric.study is not None:
        return
    owner = owner_of(metric.metric or "", cascade)
    if any(stage.name == owner and not stage.evaluator.needs_task for stage in cascade.stages):
        found = prepared.definition.task.name
        log.warning(
            "scores look at the task %s, but %s looks up %s; name its data as --task", found, owner, metric.metric
        )


def _figure_names(prepared: Prepared, settings: Correlation, scores: Sequence[str]) -> tuple[str, ...]:
    """Return every figure that the report will have."""
    aggregates = tuple(name_of(spec) for spec in settings.aggregates)
    own = correlation_figure_names((*scores, *aggregates), settings.metric or "", settings.precision_at)
    return (*study_figure_names(prepared.cascade.declared()), *own)


def _figures(study: Study, report: CorrelationReport) -> dict[str, float]:
    return {**study_figures(study, cascade_of(study).declared()), **correlation_figures(report)}
