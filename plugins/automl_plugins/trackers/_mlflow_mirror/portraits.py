"""Titles and pictures of architectures, by the study's own search space.

The space is foreign code: where it cannot be loaded here, or fails, runs go by their number and have no picture.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from automl import Architecture, Recipe, SearchSpace, Study, draw, isolated

R = TypeVar("R")

log = logging.getLogger("automl")


class Portraits:
    """Titles and pictures of one study's architectures."""

    def __init__(self, study: Study) -> None:
        self._space: SearchSpace[Any] | None = self._try("load the search space", lambda: _space_of(study))

    @property
    def can_draw(self) -> bool:
        """Whether there is a space that can draw."""
        return self._space is not None

    def title(self, architecture: Architecture) -> str:
        """Return what the space calls ``architecture``; empty when it cannot say."""
        space = self._space
        if space is None:
            return ""
        return self._try("title", lambda: space.title(space.blueprint(architecture)).partition("\n")[0]) or ""

    def picture(self, architecture: Architecture, title: str) -> bytes | None:
        """Return a PNG of the network that ``architecture`` computes."""
        space = self._space
        if space is None:
            return None
        return self._try("draw", lambda: draw(space.computed_graph_of(architecture), title))

    def _try(self, what: str, call: Callable[[], R]) -> R | None:
        result = isolated(call)
        if isinstance(result, Exception):
            log.warning("the MLflow mirror cannot %s: %r", what, result)
            return None
        return result


def _space_of(study: Study) -> SearchSpace[Any]:
    """Return the space alone: the study's other components may take seconds to import."""
    spec = study.definition.space
    key = f"space {spec.name}"
    component, options = Recipe(study.definition, {key: study.record.components[key]["target"]}).component(
        "space", spec
    )
    space: SearchSpace[Any] = component(options)
    return space
