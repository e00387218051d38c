"""``automl plugin``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options
from automl.cli._usage import Group

app = typer.Typer(cls=Group, rich_markup_mode=None, add_completion=False, no_args_is_help=True)


@app.callback()
def plugin() -> None:
    """Write a plugin of your own, check it, and see which are loaded."""


@app.command(name="new")
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Name of the method: lower-case letters, digits, _ or -.")
    ],
    kind: Annotated[str, typer.Option(metavar="KIND", help="space, strategy, evaluator, task, executor, tracker, ...")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Where to; automl-NAME here by default.")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Write a repository with a plugin that works: a small method to change, its tests, and how to ship it."""
    from automl.cli._plugin_new import write_and_say

    write_and_say(name, kind, out)


@app.command(name="check")
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME|FILE", help="A plugin, a component, or a file of your own; all of yours by default."
        ),
    ] = None,
    settings: options.Settings = None,
    timeout: Annotated[
        float | None,
        typer.Option(parser=options.duration, metavar="DURATION", help="Time for each component; 15m by default."),
    ] = None,
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Check plugins against the rules of their kinds, and say of each mistake what it is and how to mend it.

    The exit code is 4 if something is wrong.
    """
    from automl.cli._plugin_check import check_and_say

    check_and_say(names or [], settings or [], timeout=timeout, as_json=as_json)


@app.command(name="list")
def list_plugins(as_json: options.AsJson = False, debug: options.Debug = False) -> None:
    """List the plugins that are loaded, and those that were left out, with the reason."""
    from automl.cli._plugin_list import print_plugins

    print_plugins(as_json=as_json)


@app.command(name="show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A plugin or a distribution, as `automl plugin list`.")],
    as_json: options.AsJson = False,
    debug: options.Debug = False,
) -> None:
    """Show a plugin: where it comes from, the plugin API it was written for, and its components."""
    from automl.cli._plugin_list import print_plugin

    print_plugin(name, as_json=as_json)
