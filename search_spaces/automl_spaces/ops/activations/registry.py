"""All activation functions by name."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING

from automl import ConfigurationError
from automl_spaces.ops.activations import (
    arity_changing,
    fixed_exponential,
    fixed_relu,
    gated,
    matrix,
    rational,
    s_shaped,
    trainable,
    universal,
)
from automl_spaces.ops.activations.choice import CURATED, Level
from automl_spaces.ops.activations.entries import Entry

if TYPE_CHECKING:
    from torch import nn

FAMILIES = (fixed_relu, fixed_exponential, gated, s_shaped, trainable, universal, rational, matrix, arity_changing)
ENTRIES: Mapping[str, Entry] = {entry.name: entry for family in FAMILIES for entry in family.ENTRIES}
ALIASES: Mapping[str, str] = {alias: entry.name for entry in ENTRIES.values() for alias in entry.aliases}


def entry(name: str) -> Entry:
    """Return what is known of an activation, by name or alias; raises `ConfigurationError` with the nearest name."""
    found = ENTRIES.get(ALIASES.get(name, name))
    if found is None:
        import difflib

        near = difflib.get_close_matches(name, [*ENTRIES, *ALIASES], 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigurationError(f"unknown activation {name!r}{hint}\n  see `automl list activations`")
    return found


def make(name: str, channels: int | None = None, **parameters: float) -> nn.Module:
    """Return the module of an activation.

    Args:
        name: of the activation, or an alias.
        channels: of its input (axis 1), so that parameters of channels get as many values; one for all by default.
        parameters: values of its parameters, of trainable ones the first.

    Raises:
        ConfigurationError: the name or a parameter is unknown, or the number of channels does not fit.
    """
    known = entry(name)
    if channels is not None and channels % known.divisor:
        raise ConfigurationError(
            f"activation {known.name!r} takes {known.divisor} channels together, but there are {channels}"
        )
    return known.build(channels, known.values(parameters))


@functools.cache
def names(level: Level = "all") -> tuple[str, ...]:
    """Return the names that can stand in any layer: the ``curated`` twelve, or ``all``, by family."""
    return CURATED if level == "curated" else tuple(name for name, one in ENTRIES.items() if one.keeps_shape)


@functools.cache
def families() -> Mapping[str, tuple[str, ...]]:
    """Return the names that can stand in any layer, by family."""
    found: dict[str, list[str]] = {}
    for name in names("all"):
        found.setdefault(ENTRIES[name].family, []).append(name)
    return {family: tuple(members) for family, members in found.items()}
