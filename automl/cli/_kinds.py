"""The kinds of components as people write them."""

from __future__ import annotations

from collections.abc import Mapping

from automl.errors import UsageError, unknown_name
from automl.plugins import KINDS, Kind

PLURALS: Mapping[Kind, str] = {
    "space": "Search spaces",
    "strategy": "Strategies",
    "evaluator": "Evaluators",
    "task": "Tasks",
    "executor": "Executors",
    "tracker": "Trackers",
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
