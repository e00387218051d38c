"""Definitions as study files: TOML with all that differs from the defaults, so that `automl run` does it again.

Python reads TOML and does not write it; what definitions hold (text, numbers, truth values, lists and tables of them)
is little enough to write here, and a test reads all of it back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from automl.definition import StudyDefinition

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def study_file(definition: StudyDefinition) -> str:
    """Return a study as `automl run` reads it.

    >>> print(study_file(StudyDefinition(name="small", seed=1)).splitlines()[0])
    name = "small"
    """
    values = definition.model_dump(mode="json", exclude_defaults=True)
    for part in ("space", "strategy", "task"):
        values[part] = getattr(definition, part).model_dump(mode="json")
    values["evaluators"] = [spec.model_dump(mode="json") for spec in definition.evaluators]
    values["budget"] = definition.budget.model_dump(mode="json")
    return toml_of(values)


def toml_of(values: Mapping[str, Any]) -> str:
    """Return ``values`` as TOML: plain settings first, then tables, then lists of tables; what is none is left out.

    Components, which have a name and options, are written with both side by side.
    """
    return "\n".join(_table(_plain(dict(values)), ())).strip() + "\n"


def _plain(value: Any) -> Any:
    """Return ``value`` without nulls, its components flat."""
    if isinstance(value, Mapping):
        found = {name: _plain(each) for name, each in value.items() if each is not None}
        options = found.get("options")
        if (
            isinstance(options, dict)
            and "name" in found
            and not {"name", "options"} & options.keys()
            and not found.keys() & options.keys()
        ):
            del found["options"]
            return {**found, **options}
        return found
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    simple = {name: value for name, value in values.items() if not _is_table(value) and not _are_tables(value)}
    yield from (f"{_key(name)} = {_value(value)}" for name, value in simple.items())
    for name, value in values.items():
        inner = (*path, _key(name))
        if _is_table(value):
            yield from ("", f"[{'.'.join(inner)}]", *_table(value, inner))
        elif _are_tables(value):
            for each in value:
                yield from ("", f"[[{'.'.join(inner)}]]", *_table(each, inner))


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_table, value))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _value(name)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    # A JSON string is a TOML string, but for the delete character, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
