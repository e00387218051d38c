"""``automl list``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="list")
def list_components(
    kind: Annotated[
        str | None,
        typer.Argument(metavar="KIND", help="space, strategy, evaluator, task, ... or a catalogue, as activations."),
    ] = None,
    debug: options.Debug = False,
) -> None:
    """List the installed components and broken plugins, or the entries of a catalogue."""
    from automl.cli._catalogues import find_catalogue, print_entries
    from automl.cli._kinds import PLURALS, parse_kind
    from automl.cli._output import console, table
    from automl.plugins import KINDS, registry

    catalogue = find_catalogue(kind) if kind else None
    if catalogue:
        return print_entries(catalogue)
    kinds = list(KINDS) if kind is None else [parse_kind(kind)]
    found = registry()
    out = console()
    for place, shown in enumerate(kinds):
        if place:
            out.print()
        rows = []
        for name in found.names(shown):
            registration = found.find(shown, name)
            rows.append([name, registration.summary, f"{registration.distribution} {registration.version}"])
        out.print(table(PLURALS[shown], ["name", "summary", "from"], rows))
    if found.broken:
        rows = [[plugin.plugin, f"{plugin.distribution} {plugin.version}", plugin.error] for plugin in found.broken]
        out.print()
        out.print(table("Plugins that were left out", ["plugin", "from", "error"], rows))
