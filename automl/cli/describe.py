"""``automl describe``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="describe")
def describe(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[KIND] [NAME]", help="A component or an entry, with its kind if need be, or a kind."),
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw an entry of a catalogue into this file (PNG, SVG, PDF).")
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Describe a component, its options and metrics, or an entry of a catalogue."""
    from automl.cli._catalogues import find_catalogue, print_entries, print_page
    from automl.cli._describing import print_component
    from automl.cli._kinds import is_kind, kind_of_class, parse_kind
    from automl.cli.list import list_components
    from automl.errors import UsageError, unknown_name
    from automl.plugins import registry

    if len(words) > 2:
        raise UsageError(f"`automl describe` takes a kind and a name, but got {len(words)} words")
    name = words[-1]
    catalogue = find_catalogue(words[0])
    if len(words) == 2 and catalogue:
        return print_page(catalogue, name, out)
    if out is not None:
        raise UsageError(
            "`--out` draws an entry of a catalogue, as in `automl describe activation mish --out mish.png`"
        )
    if len(words) == 2:
        return print_component(parse_kind(words[0]), name)
    if ":" in name:
        return print_component(kind_of_class(name), name)
    components = registry().components
    kinds = [kind for kind, known in components if known == name]
    if not kinds and catalogue:
        return print_entries(catalogue)
    if not kinds and is_kind(name):
        return list_components(name)
    if not kinds:
        raise UsageError(unknown_name("component", name, {known for _, known in components}, "automl list"))
    if len(kinds) > 1:
        choices = " or ".join(f"`automl describe {kind} {name}`" for kind in kinds)
        raise UsageError(f"there are several components named {name!r}; write {choices}")
    return print_component(kinds[0], name)
