"""What `automl plugin list` and `automl plugin show` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl.cli._kinds import PLURALS
from automl.cli._output import console, print_json, table
from automl.errors import UsageError, unknown_name
from automl.hooks import API_VERSION
from automl.plugins import BrokenPlugin, LoadedPlugin, Registration, registry


def print_plugins(*, as_json: bool) -> None:
    """Print a line for each plugin, loaded or left out."""
    found = registry()
    if as_json:
        broken = [_broken_json(one) for one in found.broken]
        return print_json(
            {"api_version": API_VERSION, "plugins": [_json(one) for one in found.plugins], "broken": broken}
        )
    out = console()
    rows = [
        [
            one.plugin,
            f"{one.distribution} {one.version}",
            str(one.api_version),
            _counted(_components(one)),
            one.location,
        ]
        for one in found.plugins
    ]
    out.print(table("Plugins", ["plugin", "from", "API", "components", "where"], rows))
    if found.broken:
        rows = [[one.plugin, f"{one.distribution} {one.version}".rstrip(), one.error] for one in found.broken]
        out.print()
        out.print(table("Plugins that were left out", ["plugin", "from", "error"], rows))
        out.print(f"\n`automl plugin check {found.broken[0].plugin}` says what to do", soft_wrap=True)
    return None


def print_plugin(name: str, *, as_json: bool) -> None:
    """Print one plugin, or those of one distribution; raises `UsageError` when there is none."""
    found = registry()
    plugins = [one for one in found.plugins if name in (one.plugin, one.distribution)]
    broken = [one for one in found.broken if name in (one.plugin, one.distribution)]
    if not plugins and not broken:
        known = {one.plugin for one in found.plugins} | {one.plugin for one in found.broken}
        raise UsageError(unknown_name("plugin", name, known, "automl plugin list"))
    if as_json:
        return print_json({"plugins": [_json(one) for one in plugins], "broken": [_broken_json(one) for one in broken]})
    out = console()
    for one in plugins:
        out.print(f"plugin {one.plugin}", soft_wrap=True)
        out.print(f"from {one.distribution} {one.version}, for plugin API {one.api_version}", soft_wrap=True)
        out.print(f"in {one.location}\n", soft_wrap=True)
        rows = [[each.kind, each.name, each.target, each.summary] for each in _components(one)]
        out.print(table("Components", ["kind", "name", "class", "summary"], rows))
    for each in broken:
        out.print(f"plugin {each.plugin} was left out", soft_wrap=True)
        out.print(f"from {each.distribution} {each.version}".rstrip(), soft_wrap=True)
        out.print(each.error, soft_wrap=True)
    return None


def _components(plugin: LoadedPlugin) -> list[Registration]:
    mine = registry().components.values()
    return [one for one in mine if (one.plugin, one.distribution) == (plugin.plugin, plugin.distribution)]


def _counted(components: Sequence[Registration]) -> str:
    """Return how many components of each kind there are; a few are named."""
    if len(components) <= 3:
        return ", ".join(f"{one.kind} {one.name}" for one in components)
    kinds = {kind: sum(one.kind == kind for one in components) for kind in PLURALS}
    return ", ".join(
        f"{count} {PLURALS[kind].lower() if count > 1 else kind}" for kind, count in kinds.items() if count
    )


def _json(plugin: LoadedPlugin) -> dict[str, Any]:
    components = [{"kind": one.kind, "name": one.name, "target": one.target} for one in _components(plugin)]
    facts = {name: getattr(plugin, name) for name in LoadedPlugin.__slots__}
    return {**facts, "components": components}


def _broken_json(plugin: BrokenPlugin) -> dict[str, Any]:
    return {name: getattr(plugin, name) for name in BrokenPlugin.__slots__}
