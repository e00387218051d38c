"""``automl run``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from automl.cli import _options as options
from automl.cli._flags import Flags

if TYPE_CHECKING:
    from pathlib import Path

    from automl.cli._comparison import Manner
    from automl.studyfile import StudyFile

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="run")
def run(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME_OR_FILE", help="A shipped study, or the path of a study file.")
    ] = None,
    trials: options.Trials = None,
    time: options.Time = None,
    seed: options.Seed = None,
    settings: options.Settings = None,
    workers: options.Workers = None,
    devices: options.Devices = None,
    study: options.NewStudyName = None,
    storage: options.Storage = options.DEFAULT_STORAGE,
    durability: options.AnyDurability = None,
    jobs: options.Jobs = None,
    out: options.Out = None,
    is_checked: options.IsChecked = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    no_mlflow: options.NoMlflow = False,
    debug: options.Debug = False,
) -> None:
    """Run a study file: one that is shipped, or your own.

    It may define a study, a comparison, a correlation or an analysis. Without a name it lists the shipped ones.
    """
    if name is None:
        return _list_shipped()
    from automl.studyfile import find_study_file, read_study_file

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
    manner = {"storage": storage, "durability": options.level(durability), "as_json": as_json, "quiet": quiet}
    return _run_file(read_study_file(path), flags, manner, jobs=jobs, out=out, is_checked=is_checked)


def _run_file(
    file: StudyFile, flags: Flags, manner: dict[str, Any], *, jobs: int | None, out: Path | None, is_checked: bool
) -> None:
    """Run a study file of any form; ``manner`` is where it is stored, and how it is printed."""
    printed = {"as_json": manner["as_json"], "quiet": manner["quiet"]}
    if file.is_analysis:
        from automl.cli._analysis import analyse_and_report

        options.refuse({"--jobs": jobs, "--out": out}, "it is for comparisons, and this file defines an analysis")
        return analyse_and_report(file, flags, is_checked=is_checked, **printed)
    if file.is_comparison:
        from automl.cli._comparison import Manner

        options.refuse({"--seed": flags.seed}, "a comparison has several seeds; set their number in the file")
        return _run_comparison(file, flags, Manner(**manner, jobs=jobs or 1, out=out), is_checked=is_checked)
    if file.is_correlation:
        options.refuse({"--jobs": jobs}, "it is for comparisons, and this file defines a correlation")
        return _run_correlation(file, flags, {**manner, "out": out}, is_checked=is_checked)
    from automl.cli._conduct import search_and_check, search_and_report

    options.refuse({"--jobs": jobs, "--out": out}, "it is for comparisons, and this file defines a study")
    stored = {"storage": manner["storage"], "durability": manner["durability"] or "full"}
    if is_checked:
        return search_and_check(file, flags, **stored, **printed)
    return search_and_report(file.path, flags, **stored, **printed)


def _run_comparison(file: StudyFile, flags: Flags, manner: Manner, *, is_checked: bool) -> None:
    from automl.cli._comparison import compare_and_report
    from automl.cli._comparison_draft import ComparisonFlags
    from automl.cli._expect import ComparisonCheck

    check = ComparisonCheck.of(file) if is_checked else None
    compare_and_report(file, flags, ComparisonFlags(), replace(manner, check=check))


def _run_correlation(file: StudyFile, flags: Flags, manner: dict[str, Any], *, is_checked: bool) -> None:
    from automl.cli._correlation import Manner, correlate_and_report
    from automl.cli._correlation_draft import CorrelationFlags
    from automl.cli._expect import Check

    check = Check.of(file) if is_checked else None
    correlate_and_report(file, flags, CorrelationFlags(), Manner(**manner, check=check))


def _list_shipped() -> None:
    from automl.cli._output import console, table
    from automl.studyfile import read_study_file, shipped_studies

    rows = []
    for name, path in shipped_studies().items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        parts = _parts(read_study_file(path))
        rows.append([name, *parts, first.lstrip("# ") if first.startswith("#") else ""])
    console().print(table("Shipped studies", ["name", "space", "strategy", "task", "what it is"], rows))


def _parts(file: StudyFile) -> tuple[str, str, str]:
    """Return space, strategy and task of a study file; an analysis has none of them."""
    if file.is_analysis:
        return "", f"analysis {file.analysis.name}", ""
    if file.is_comparison:
        found = file.comparison
        return ", ".join(found.spaces), f"{len(found.labels)} compared", found.base.task.name
    if file.is_correlation:
        sampled = file.correlation
        return sampled.space.name, "correlation", sampled.task.name
    return file.definition.space.name, file.definition.strategy.name, file.definition.task.name
