"""The kinds of components as people write them."""

from __future__ import annotations

from collections.abc import Mapping

from automl.errors import PluginError, UsageError, unknown_name
from automl.plugins import KINDS, Kind, import_advice, isolated, load_target

PLURALS: Mapping[Kind, str] = {
    "space": "Search spaces",
    "strategy": "Strategies",
    "evaluator": "Evaluators",
    "proxy": "Proxies",
    "aggregator": "Aggregators",
    "task": "Tasks",
    "executor": "Executors",
    "tracker": "Trackers",
    "data": "Data sources",
    "analysis": "Analyses",
    "catalogue": "Catalogues",
    "exporter": "Exporters",
}


def parse_kind(text: str) -> Kind:
    """Return the kind that ``text`` names, in the singular or the plural; raises `UsageError` with the nearest one.

    >>> parse_kind("strategies")
    'strategy'
    """
    wanted = text.lower()
    for kind, plural in PLURALS.items():
        if wanted in (kind, plural.lower(), plural.lower().removeprefix("search ")):
            return kind
    raise UsageError(unknown_name("kind of component", text, KINDS, "automl list"))


def is_kind(text: str) -> bool:
    """Return whether ``text`` names a kind, in the singular or the plural."""
    try:
        parse_kind(text)
    except UsageError:
        return False
    return True


def kind_of_class(target: str) -> Kind:
    """Return the kind of the class that ``package.module:Class`` names; raises `PluginError` when it has none."""
    found = isolated(lambda: load_target(target))
    if isinstance(found, Exception):
        said = f"{type(found).__name__}: {found}{import_advice(found, target)}"
        raise PluginError(f"{target} cannot be imported: {said}") from found
    for kind, (_, base) in KINDS.items():
        if isinstance(found, type) and issubclass(found, load_target(base)):
            return kind
    raise PluginError(f"{target} is no component: it is a subclass of none of automl's contracts")
