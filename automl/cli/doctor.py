"""``automl doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from automl.cli import _options as options

if TYPE_CHECKING:
    from automl.doctor.finding import Finding

_MARKS = {"ok": "ok  ", "warn": "warn", "fail": "FAIL"}
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="doctor")
def doctor(
    storage: options.Storage = options.DEFAULT_STORAGE, as_json: options.AsJson = False, debug: options.Debug = False
) -> None:
    """Look for what may keep the program from working here, and say what to do about it.

    Nothing is changed. Exits with 1 if a line fails; warnings are no failures.
    """
    from dataclasses import asdict

    from automl.cli._output import plural, print_json
    from automl.doctor.examination import examine
    from automl.errors import ExitCode

    found = examine(storage)
    failed, warned = (sum(one.level == level for one in found) for level in ("fail", "warn"))
    if as_json:
        print_json({"findings": [asdict(one) for one in found], "failed": failed, "warned": warned})
    else:
        _print(found)
        verdict = "everything works here" if not failed else f"{plural(failed, 'line')} failed"
        print(f"\n{verdict}" + (f", with {plural(warned, 'warning')}" if warned else ""))
    if failed:
        raise typer.Exit(ExitCode.FAILED)


def _print(found: list[Finding]) -> None:
    from rich.text import Text

    from automl.cli._output import console

    out, width = console(), max(len(one.part) for one in found)
    for one in found:
        line = Text.assemble((_MARKS[one.level], _STYLES[one.level]), f"  {one.part:<{width}}  {one.found}")
        out.print(line, soft_wrap=True)
        if one.advice:
            out.print(Text(f"{'':<{width + 8}}→ {one.advice}", style="dim"), soft_wrap=True)
