"""Architectures that a person gives: by name, or as tables of decisions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator

from automl.architecture import Architecture
from automl.errors import ConfigurationError, InvalidArchitecture
from automl.space import SearchSpace


def _read(value: object) -> object:
    """Read JSON text, as scripts print it, or names with commas between them; check what the entries are."""
    if isinstance(value, str):
        value = _read_text(value)
    if not isinstance(value, list | tuple):
        raise ValueError("it is no list of architectures; write names, or tables of decisions, in a list")
    for place, entry in enumerate(value):
        if not isinstance(entry, str | Mapping):
            raise ValueError(f"number {place}, from 0, is neither a name nor a table of decisions: {entry!r}")
    return value


def _read_text(text: str) -> object:
    if not text.strip().startswith(("[", "{")):
        return [name.strip() for name in text.split(",") if name.strip()]
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is no JSON list of architectures ({error})") from None


GivenArchitectures: TypeAlias = Annotated[tuple[str | dict[str, Any], ...], BeforeValidator(_read)]
"""Type of an option that takes architectures: each a name of `SearchSpace.names`, or a table of decisions as
``automl show --json`` prints it. The whole may be JSON text, or names with commas between them."""


def given_architectures(
    space: SearchSpace[Any], given: Sequence[str | Mapping[str, Any]], option: str
) -> list[Architecture]:
    """Return the architectures of ``given``, in its order; repeats are kept.

    Raises:
        ConfigurationError: a name is unknown, or a table is no member of ``space``; the message names ``option``.
    """
    return [_architecture(space, entry, place, option) for place, entry in enumerate(given)]


def _architecture(space: SearchSpace[Any], entry: str | Mapping[str, Any], place: int, option: str) -> Architecture:
    if isinstance(entry, str):
        try:
            return space.validate(space.named(entry))
        except InvalidArchitecture as invalid:
            raise ConfigurationError(
                f"`{option}`: {entry!r} is not in the space as its options are: {invalid}"
            ) from invalid
        except ConfigurationError as unknown:
            raise ConfigurationError(f"`{option}`: {unknown}") from unknown
    try:
        return space.validate(Architecture.from_json(entry))
    except InvalidArchitecture as invalid:
        raise ConfigurationError(
            f"`{option}`: number {place}, from 0, is not in the space: {invalid}; "
            "write decisions as `automl show STUDY --json` prints them"
        ) from invalid
