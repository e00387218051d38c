"""Layers of torch as the calls that make them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from typing import Any

from torch import nn

from automl_plugins.exporters._python.layout import Group, call

_PER_AXIS = frozenset({"kernel_size", "stride", "padding", "output_padding", "dilation", "output_size"})
"""Parameters where one number stands for a tuple of equal ones."""


def constructor(layer: nn.Module) -> Group | None:
    """Return the call that makes ``layer`` with fresh weights, or ``None`` if it is no plain layer of torch.

    >>> constructor(nn.Conv2d(3, 8, 3, padding=1, bias=False)).line
    'nn.Conv2d(3, 8, 3, padding=1, bias=False)'
    """
    kind = type(layer)
    is_torch = kind.__module__.startswith("torch.nn.modules.") and getattr(nn, kind.__name__, None) is kind
    if not is_torch or any(True for _ in layer.children()):
        return None
    arguments = _arguments(layer)
    return None if arguments is None else call(f"nn.{kind.__name__}", *arguments)


def _arguments(layer: nn.Module) -> list[str] | None:
    written = []
    for parameter in _parameters(layer):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or not hasattr(layer, parameter.name):
            return None
        value = _value(layer, parameter.name)
        if parameter.default is not parameter.empty and _same(value, parameter.default):
            continue
        text = _text(value)
        if text is None:
            return None
        is_positional = parameter.default is parameter.empty and parameter.kind is not parameter.KEYWORD_ONLY
        written.append(text if is_positional else f"{parameter.name}={text}")
    return written


def _parameters(layer: nn.Module) -> Iterator[inspect.Parameter]:
    for parameter in inspect.signature(type(layer)).parameters.values():
        if parameter.name not in ("device", "dtype") and not parameter.name.startswith("_"):
            yield parameter


def _value(layer: nn.Module, name: str) -> Any:
    value = getattr(layer, name)
    if name == "bias":
        return value is not None and value is not False
    if name in _PER_AXIS and isinstance(value, tuple) and len(set(value)) == 1:
        return value[0]
    return value


def _same(value: object, default: object) -> bool:
    return type(value) is type(default) and value == default


def _text(value: object) -> str | None:
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if abs(value) < float("inf") else f'float("{value}")'
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, tuple | list):
        parts = [_text(part) for part in value]
        if any(part is None for part in parts):
            return None
        return f"({', '.join(map(str, parts))}{',' if len(parts) == 1 else ''})"
    return None
