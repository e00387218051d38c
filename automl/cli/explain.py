"""``automl explain``."""

from __future__ import annotations

import re
import textwrap
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="explain")
def explain(
    study: options.StudyName,
    trial: Annotated[
        int, typer.Argument(min=0, metavar="TRIAL", help="Number of a trial, as `automl show` lists them.")
    ],
    lines: Annotated[int, typer.Option(min=0, metavar="N", help="Lines of a traceback, from its end; 0 for all.")] = 20,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Say why a trial waits, failed, was rejected or pruned, or was not run, and what to do."""
    from dataclasses import asdict

    from automl.api import load_study
    from automl.cli._output import console, print_json
    from automl.cli._program import command
    from automl.reasons import reason_of

    found = load_study(study, storage=storage)
    record = found.trial_record(trial)
    reason = reason_of(found, record, lines=lines)
    if as_json:
        return print_json({"study": study, "trial": trial, "state": record.state, **asdict(reason)})
    width = console().width
    print(textwrap.fill(reason.headline, width))
    for sentence in reason.sentences:
        print(textwrap.fill(sentence, width, initial_indent="  ", subsequent_indent="  ", break_long_words=False))
    for line in reason.log and ("", "The end of what was recorded:", *(f"  {line}" for line in reason.log)):
        print(line)
    print("\nwhat to do:" if reason.advice else "\nmore:")
    for text in reason.advice:
        advice = re.sub(rf"automl (\w+) {re.escape(study)}\b", lambda it: command(it[1], study, storage=storage), text)
        print(textwrap.fill(advice, width, initial_indent="  ", subsequent_indent="    ", break_long_words=False))
    print(f"  {command('show', study, str(trial), storage=storage)}   its metrics and decisions")
    return None
