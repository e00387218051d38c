"""``automl best``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="best")
def best(
    study: options.StudyName,
    top: Annotated[int, typer.Option(min=1, metavar="N", help="How many to show.")] = 5,
    storage: options.Storage = options.DEFAULT_STORAGE,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show the best architectures of a study.

    With several objectives, those of the Pareto front come first, and each says whether it is on it.
    """
    from automl.api import load_study
    from automl.cli._counts import nothing_feasible
    from automl.cli._output import console, print_json
    from automl.cli._report import best_table, hypervolume_text
    from automl.errors import ExitCode

    found = load_study(study, storage=storage)
    trials = found.top(top)
    if as_json:
        print_json(found.summary_json())
    elif trials:
        console().print(best_table(found, trials))
        if volume := hypervolume_text(found):
            console().print(f"hypervolume {volume}", soft_wrap=True)
    else:
        console().print(nothing_feasible(found), soft_wrap=True)
    if not trials:
        raise typer.Exit(ExitCode.NOTHING_FEASIBLE)
