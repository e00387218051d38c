"""Running an analysis from the command line: its tables, its figures, and whether they are as expected."""

from __future__ import annotations

import math
import sys

import typer

from automl.analysis import Analysis, Findings, make_component
from automl.cli._draft import toml_value
from automl.cli._expect import Check, exit_unless_held, print_verdicts, verdicts_json
from automl.cli._flags import Flags
from automl.cli._output import console, number, print_json, table
from automl.definition import ComponentSpec
from automl.errors import AutomlError, ConfigurationError, ExitCode, UsageError, unknown_name
from automl.expectations import Verdict
from automl.options import OptionError
from automl.studyfile import StudyFile

_NOT_FOR_AN_ANALYSIS = {
    "trials": "--trials",
    "time": "--time",
    "seed": "--seed",
    "study": "--study",
    "workers": "--workers",
    "devices": "--devices",
}


def analyse_and_report(file: StudyFile, flags: Flags, *, is_checked: bool, as_json: bool, quiet: bool) -> None:
    """Compute the figures of an analysis and print them.

    Raises:
        typer.Exit: a band does not hold, and ``is_checked``; or it was interrupted.
    """
    for name, flag in _NOT_FOR_AN_ANALYSIS.items():
        if getattr(flags, name) is not None:
            raise UsageError(f"{flag}: {file.path.name} is an analysis, which has no trials; remove the flag")
    analysis = _made(file, flags)
    check = Check.of(file) if is_checked else None
    if check is not None:
        check.at_the_door(analysis.figures())
    try:
        findings = analysis.run(lambda line: None if quiet or as_json else print(line, file=sys.stderr, flush=True))
    except KeyboardInterrupt:
        print("interrupted; an analysis keeps nothing, so that it begins anew", file=sys.stderr)
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    verdicts = () if check is None else check.verdicts(findings.figures)
    if as_json:
        print_json(_json(file, findings, verdicts, is_checked=is_checked))
    else:
        _print(findings)
        if check is not None:
            print_verdicts(verdicts)
    exit_unless_held(verdicts)


def _made(file: StudyFile, flags: Flags) -> Analysis:
    spec = file.analysis
    options = dict(spec.options)
    for text in flags.settings:
        _put(options, spec.name, text)
    try:
        made: Analysis = make_component("analysis", ComponentSpec(name=spec.name, options=options))
    except OptionError as error:
        raise _located(file, flags, error, error.option) from error
    except ConfigurationError as error:
        raise file.located(error, ("analysis", "name")) from error
    return made


def _located(file: StudyFile, flags: Flags, error: OptionError, option: str) -> AutomlError:
    given = next((text for text in flags.settings if text.partition("=")[0].split(".")[1:2] == [option]), None)
    if given is not None:
        return ConfigurationError(f"--set {given}: {error}")
    return file.located(ConfigurationError(str(error)), ("analysis", option))


def _put(options: dict[str, object], name: str, text: str) -> None:
    """Apply ``analysis.option=value``, or the analysis's name in place of ``analysis``."""
    key, equals, raw = text.partition("=")
    part, dot, option = key.strip().partition(".")
    if not equals or not dot:
        raise UsageError(f"cannot read --set {text!r}; write it as analysis.option=value")
    if part not in ("analysis", name):
        raise UsageError(f"--set {text}: {unknown_name('part', part, ('analysis', name))}")
    outer, dot, inner = option.partition(".")
    within = options.get(outer)
    if not dot:
        options[outer] = toml_value(raw)
    elif isinstance(within, dict):
        options[outer] = {**within, inner: toml_value(raw)}
    else:
        raise UsageError(f"--set {text}: the option {outer!r} has no parts; set it as a whole")


def _json(file: StudyFile, findings: Findings, verdicts: tuple[Verdict, ...], *, is_checked: bool) -> dict[str, object]:
    found: dict[str, object] = {
        "analysis": file.analysis.name,
        "figures": {name: value if math.isfinite(value) else None for name, value in findings.figures.items()},
        "tables": [each.to_json() for each in findings.tables],
    }
    return {**found, **verdicts_json(verdicts)} if is_checked else found


def _print(findings: Findings) -> None:
    out = console()
    for each in findings.tables:
        rows = [[cell if isinstance(cell, str) else number(cell) for cell in row] for row in each.rows]
        kinds = zip(each.columns, each.rows[0], strict=True) if each.rows else ()
        right = [column for column, cell in kinds if not isinstance(cell, str)]
        out.print(table(each.title, list(each.columns), rows, right=right))
        out.print()
    figures = [[name, f"{value:.8g}"] for name, value in findings.figures.items()]
    out.print(table("Figures", ["figure", "value"], figures, right=["value"]))
