"""Normalisation-activation layers: the search space `evonorm`, and its layers for use elsewhere.

Importing this imports no torch: `compile_layer` and `replace_norm_act` are loaded when they are first asked for, and
the published layers are modules of `automl_spaces.evonorm.layers`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from automl_spaces.evonorm.expression import Expression, Node, random_expression
from automl_spaces.evonorm.named import NAMED
from automl_spaces.evonorm.screening import Screening, screen
from automl_spaces.evonorm.space import EvoNorm, EvoNormOptions

if TYPE_CHECKING:
    from automl_spaces.evonorm.compiled import compile_layer
    from automl_spaces.evonorm.replace import replace_norm_act

__all__ = [
    "NAMED",
    "EvoNorm",
    "EvoNormOptions",
    "Expression",
    "Node",
    "Screening",
    "compile_layer",
    "random_expression",
    "replace_norm_act",
    "screen",
]

_HOMES = {"compile_layer": "compiled", "replace_norm_act": "replace"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'automl_spaces.evonorm' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"automl_spaces.evonorm.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
