"""The cheap test of an expression, before any network is built: is it a layer at all, and is it new?

An expression is computed once, in double precision, on two fixed batches of 4 x 8 channels x 3 x 3 normal numbers in 4
groups: one with the initial ``v0 = 0`` and ``v1 = 1``, one with others. Nothing here imports torch: a graph takes a
fraction of a millisecond.

The tests are ours, in this order: the output must depend on the input (by the graph), be finite in single precision,
vary by more than 1e-6, and differ from the input, all with the initial vectors, where training starts: ``v1 * x`` is
an identity that only repeats the affine map after the graph. The fingerprint is a hash of both outputs, rounded to
about four digits, so that expressions that compute the same function by other arithmetic share it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl_spaces.evonorm.expression import INITIAL, Expression, Node

Array: TypeAlias = NDArray[np.float64]
Reason = Literal["no input", "not finite", "constant", "identity"]

DEFECTS: dict[Reason, str] = {
    "no input": "its output does not depend on its input",
    "not finite": "its output is not finite",
    "constant": "its output is constant",
    "identity": "its output is its input",
}

EPSILON = 1e-5

_BATCH, _CHANNELS, _SIDE, _GROUPS = 4, 8, 3, 4
_SEED = 20200406
_TOLERANCE = 1e-6
_LARGEST = float(np.finfo(np.float32).max)
_DROPPED_BITS = 10
_AXES = {"bwh": (1, 3, 4), "wh": (3, 4), "whc": (2, 3, 4)}


@dataclass(frozen=True, slots=True)
class Screening:
    """What the cheap test says: a reason to reject the expression or ``None``, and the function's fingerprint.

    The fingerprint is empty when the expression does not depend on its input or is not finite.
    """

    reason: Reason | None
    fingerprint: str


def screen(expression: Expression) -> Screening:
    """Test an expression: a pure function of its live part.

    >>> screen(Expression.parse("NEG 0; NEG 4")).reason, screen(Expression.parse("TANH 0")).reason
    ('identity', None)
    >>> halves = Expression.parse("MUL 3 0; SIGMOID 4; MUL 5 0"), Expression.parse("MUL 0 3; NEG 1; SIGMOID 4; MUL 0 6")
    >>> len({screen(one).fingerprint for one in halves})
    1
    """
    if not expression.depends_on_x():
        return Screening("no input", "")
    probe = _probe()
    output = np.broadcast_to(evaluate(expression, probe), probe[0].shape)
    largest = np.abs(output).max()
    if not largest <= _LARGEST:
        return Screening("not finite", "")
    fingerprint = _fingerprint(output, float(largest))
    first = output[0]
    if first.std() < _TOLERANCE:
        return Screening("constant", fingerprint)
    if np.abs(first - probe[0][0]).max() < _TOLERANCE:
        return Screening("identity", fingerprint)
    return Screening(None, fingerprint)


def evaluate(expression: Expression, initial: tuple[Array, ...]) -> Array:
    """Return the output, in a shape that broadcasts to that of the input; equal sub-expressions are computed once.

    Args:
        expression: what to compute; moments are those of the batch.
        initial: the values of the initial nodes, ``(probes, batch, channels, height, width)`` or broadcasting to it.
    """
    nodes, live = expression.nodes, expression.live()
    values: list[Any] = [*initial, *[None] * len(nodes)]
    known: dict[tuple[Any, ...], Array] = {}
    with np.errstate(all="ignore"):
        for number, node in enumerate(nodes, len(INITIAL)):
            if number not in live:
                continue
            operands = [values[operand] for operand in node.operands]
            key = (node.operation, node.over, *map(id, operands))
            found = known.get(key)
            if found is None:
                found = known[key] = _applied(node, operands)
            values[number] = found
    output: Array = values[-1]
    return output


def _applied(node: Node, operands: list[Array]) -> Array:
    if node.over:
        return _AGGREGATED[node.operation](operands[0], node.over)
    return _FUNCTIONS[node.operation](*operands)


def _mean(values: Array, over: str) -> Array:
    if over != "whc/g":
        axes = _AXES[over]
        size = 1
        for axis in axes:
            size *= values.shape[axis]
        if size == 1:
            return values
        total: Array = np.add.reduce(values, axes, keepdims=True)
        return total / size
    probes, batch, channels = values.shape[:3]
    if channels == 1:
        return _mean(values, "wh")
    grouped = values.reshape(probes, batch, _GROUPS, -1)
    means: Array = np.add.reduce(grouped, 3) / grouped.shape[3]
    return means.repeat(channels // _GROUPS, 2)[..., None, None]


def _std(values: Array, over: str) -> Array:
    centred = values - _mean(values, over)
    return np.sqrt(_mean(centred * centred, over) + EPSILON)


def _divide(one: Array, other: Array) -> Array:
    return one / np.copysign(np.maximum(np.abs(other), EPSILON), other + 0.0)


_AGGREGATED: dict[str, Callable[[Array, str], Array]] = {
    "MEAN": _mean,
    "RMS": lambda a, over: np.sqrt(_mean(a * a, over) + EPSILON),
    "STD": _std,
}
_FUNCTIONS: dict[str, Callable[..., Array]] = {
    "ADD": np.add,
    "MUL": np.multiply,
    "DIV": _divide,
    "MAX": np.maximum,
    "NEG": np.negative,
    "SIGMOID": lambda a: 1 / (1 + np.exp(-a)),
    "TANH": np.tanh,
    "EXP": np.exp,
    "LOG": lambda a: np.sign(a) * np.log(np.abs(a) + EPSILON),
    "ABS": np.abs,
    "SQUARE": np.square,
    "SQRT": lambda a: np.sign(a) * np.sqrt(np.abs(a) + EPSILON),
}


@lru_cache(maxsize=1)
def _probe() -> tuple[Array, ...]:
    """Return the values of the initial nodes."""
    rng = np.random.default_rng(_SEED)
    images = rng.standard_normal((2, _BATCH, _CHANNELS, _SIDE, _SIDE))
    small = (2, 1, _CHANNELS, 1, 1)
    v0, v1 = np.zeros(small), np.ones(small)
    v0[1], v1[1] = rng.standard_normal((2, 1, _CHANNELS, 1, 1))
    found = (images, np.zeros((1, 1, 1, 1, 1)), v0, v1)
    for values in found:
        values.flags.writeable = False
    return found


def _fingerprint(output: Array, largest: float) -> str:
    """Hash ``output`` in single precision, without its last bits and entries that vanish beside the largest."""
    rounded = np.where(np.abs(output) < largest * _TOLERANCE, 0.0, output).astype(np.float32)
    bits = (rounded.view(np.int32) + (1 << (_DROPPED_BITS - 1))) >> _DROPPED_BITS
    return blake2b(bits.tobytes(), digest_size=16).hexdigest()
