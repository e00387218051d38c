"""Activation functions by name, for any network: `make`, `names`, `entry`, `nearest`, `initialise`.

>>> from automl_spaces.ops import activations
>>> activations.make("mish"), round(activations.entry("gelu").gain, 3)
(Pointwise(mish), 2.352)

Nothing is imported before it is used: a space that asks for no other activation than ReLU loads none.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from automl_spaces.ops.activations.choice import check_activation, choose_activation, encode_activation
    from automl_spaces.ops.activations.entries import Entry
    from automl_spaces.ops.activations.initialisation import initialise
    from automl_spaces.ops.activations.measures import nearest
    from automl_spaces.ops.activations.registry import entry, families, make, names

_HOMES = {
    "Entry": "entries",
    "check_activation": "choice",
    "choose_activation": "choice",
    "encode_activation": "choice",
    "entry": "registry",
    "families": "registry",
    "initialise": "initialisation",
    "make": "registry",
    "names": "registry",
    "nearest": "measures",
}

__all__ = [
    "Entry",
    "check_activation",
    "choose_activation",
    "encode_activation",
    "entry",
    "families",
    "initialise",
    "make",
    "names",
    "nearest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found
