"""``automl describe``."""

from __future__ import annotations

from typing import Annotated

import typer

from automl.cli import _options as options

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(name="describe")
def describe(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[KIND] [NAME]", help="A component, with its kind if need be, or a kind."),
    ],
    debug: options.Debug = False,
) -> None:
    """Describe a component, its options and metrics."""
    from automl.cli._describing import print_component
    from automl.cli._kinds import is_kind, kind_of_class, parse_kind
    from automl.cli.list import list_components
    from automl.errors import UsageError, unknown_name
    from automl.plugins import registry

    if len(words) > 2:
        raise UsageError(f"`automl describe` takes a kind and a name, but got {len(words)} words")
    name = words[-1]
    if len(words) == 2:
        return print_component(parse_kind(words[0]), name)
    if ":" in name:
        return print_component(kind_of_class(name), name)
    components = registry().components
    kinds = [kind for kind, known in components if known == name]
    if not kinds and is_kind(name):
        return list_components(name)
    if not kinds:
        raise UsageError(unknown_name("component", name, {known for _, known in components}, "automl list"))
    if len(kinds) > 1:
        choices = " or ".join(f"`automl describe {kind} {name}`" for kind in kinds)
        raise UsageError(f"there are several components named {name!r}; write {choices}")
    return print_component(kinds[0], name)
