"""Which trial a command means that takes ``best`` or a number."""

from __future__ import annotations

import sys

import typer

from automl.cli._counts import nothing_feasible
from automl.errors import ExitCode, UsageError
from automl.study import Study


def trial_number(study: Study, text: str) -> int:
    """Return the number that ``--trial`` names, of the first trial on the front for ``best``.

    Raises:
        UsageError: it is neither, or there is no such trial.
        typer.Exit: there is no best one.
    """
    if text.isdigit():
        return study.trial_record(int(text)).number
    if text != "best":
        raise UsageError(f"--trial {text}: write `best`, or the number of a trial (see `automl show {study.name}`)")
    front = study.best
    if not front:
        print(f"error: {nothing_feasible(study)}; name a trial with --trial N", file=sys.stderr)
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE)
    return front[0].number
