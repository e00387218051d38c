"""Which expressions are layers that PyTorch has kernels for.

Batch, group, layer and instance normalisation are recognised by the shape of their canonical expression, with or
without ``v1`` as a factor and ``v0`` as a summand, followed by nothing, ReLU (``MAX`` with zero) or SiLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from automl_spaces.evonorm.expression import INITIAL, V0, V1, ZERO, Expression, Node, X

Activation = Literal["none", "relu", "silu"]


@dataclass(frozen=True, slots=True)
class NativeLayer:
    """A normalisation over the index set ``over``, times ``v1`` and plus ``v0`` where it has them, and activation.

    >>> recognised(Expression.parse("STD{wh} 0; MEAN{wh} 0; NEG 5; ADD 0 6; DIV 7 4"))
    NativeLayer(over='wh', has_scale=False, has_shift=False, activation='none')
    """

    over: str
    has_scale: bool
    has_shift: bool
    activation: Activation


def recognised(expression: Expression) -> NativeLayer | None:
    """Return the native layer that computes ``expression``, or ``None``."""
    nodes = dict(expression.canonical().numbered())
    core, activation = _without_activation(nodes, max(nodes))
    found = _summand(nodes, core, "ADD", V0)
    core, has_shift = (core, False) if found is None else (found, True)
    found = _summand(nodes, core, "MUL", V1)
    core, has_scale = (core, False) if found is None else (found, True)
    over = _normalised_over(nodes, core)
    return None if over is None else NativeLayer(over, has_scale, has_shift, activation)


def _without_activation(nodes: dict[int, Node], output: int) -> tuple[int, Activation]:
    inner = _summand(nodes, output, "MAX", ZERO)
    if inner is not None:
        return inner, "relu"
    node = nodes[output]
    if node.operation == "MUL":
        for one, other in (node.operands, node.operands[::-1]):
            if other in nodes and nodes[other] == Node("SIGMOID", (one,)):
                return one, "silu"
    return output, "none"


def _normalised_over(nodes: dict[int, Node], number: int) -> str | None:
    """Return the index set I if the node is ``(x - MEAN_I x) / STD_I x``."""
    node = nodes.get(number)
    if node is None or node.operation != "DIV" or node.operands[1] < len(INITIAL):
        return None
    divisor = nodes[node.operands[1]]
    if divisor.operation != "STD" or divisor.operands != (X,):
        return None
    negative = _summand(nodes, node.operands[0], "ADD", X)
    if negative not in nodes or nodes[negative].operation != "NEG":
        return None
    mean = nodes.get(nodes[negative].operands[0])
    return divisor.over if mean == Node("MEAN", (X,), divisor.over) else None


def _summand(nodes: dict[int, Node], number: int, operation: str, known: int) -> int | None:
    """Return the other operand of a commutative ``operation`` if one is ``known``."""
    node = nodes.get(number)
    if node is None or node.operation != operation or known not in node.operands:
        return None
    return node.operands[1 - node.operands.index(known)]
