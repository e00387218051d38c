"""The forward pass of an expression on images, with as few passes over the pixels as its operations need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from automl_spaces.evonorm.expression import AGGREGATIONS, ZERO, Expression, Node
from automl_spaces.evonorm.fused import maximum, quotient
from automl_spaces.evonorm.moments import Pair, pixel_moments, pooled

Scale: TypeAlias = Tensor | float | None


@dataclass(frozen=True, slots=True)
class Step:
    """One live node; ``is_safe`` says that its divisor needs no guard. ``SILU`` is ``a * sigmoid(a)``."""

    number: int
    operation: str
    operands: tuple[int, ...]
    over: str
    is_safe: bool


class Moments(Protocol):
    """Where moments over the batch come from in evaluation and go to in training."""

    def running(self, step: Step) -> Tensor | None:
        """Return the running moment ``(1, channels, 1, 1)``, or ``None`` if that of the batch is to be used."""

    def note(self, step: Step, moment: Tensor, count: int) -> None:
        """Average the moment of a batch of ``count`` pixels per channel into the running one."""


class Value:
    """``base * scale + shift``, where only ``base`` has pixels; without a base, ``shift`` alone: a small tensor."""

    __slots__ = ("_tensor", "base", "scale", "shift")

    def __init__(self, base: Tensor | None, scale: Scale = None, shift: Tensor | None = None) -> None:
        self.base, self.scale, self.shift = base, scale, shift
        self._tensor: Tensor | None = None

    @property
    def small(self) -> Tensor | None:
        """The value if it has no pixels."""
        return self.shift if self.base is None else None

    def tensor(self) -> Tensor:
        """Return the value; computed once."""
        if self._tensor is None:
            self._tensor = self._computed()
        return self._tensor

    def times(self, factor: Tensor | float) -> Value:
        """Return the product with a small tensor."""
        shift = None if self.shift is None else self.shift * factor
        return (
            Value(self.base, None, shift) if self.base is None else Value(self.base, _times(self.scale, factor), shift)
        )

    def plus(self, term: Tensor) -> Value:
        """Return the sum with a small tensor."""
        return Value(self.base, self.scale, term if self.shift is None else self.shift + term)

    def factored(self) -> tuple[Tensor, Scale]:
        """Return a tensor and a small factor whose product is the value."""
        if self.base is None or self.shift is not None:
            return self.tensor(), None
        return self.base, self.scale

    def _computed(self) -> Tensor:
        base, scale, shift = self.base, self.scale, self.shift
        if base is None:
            assert shift is not None
            return shift
        if shift is None:
            return base if scale is None else base * scale
        if isinstance(scale, Tensor):
            return torch.addcmul(shift, base, scale)
        return torch.add(shift, base, alpha=1 if scale is None else scale)


def steps_of(expression: Expression) -> tuple[Step, ...]:
    """Return what to compute for a canonical ``expression``, in order."""
    positive: set[int] = set()
    nonnegative = {ZERO}
    steps = []
    nodes = dict(expression.numbered())
    for number, node in nodes.items():
        _bound(number, node, positive, nonnegative)
        operation, operands = node.operation, node.operands
        if operation == "MUL":
            for one, other in (operands, operands[::-1]):
                if nodes.get(other) == Node("SIGMOID", (one,)):
                    operation, operands = "SILU", (one,)
        steps.append(Step(number, operation, operands, node.over, operands[-1] in positive))
    read = {operand for step in steps for operand in step.operands} | {expression.output}
    return tuple([step for step in steps if step.operation != "SIGMOID" or step.number in read])


def compute(
    steps: tuple[Step, ...], initial: Mapping[int, Value], groups: int, epsilon: float, moments: Moments
) -> dict[int, Value]:
    """Return the values of all nodes by their number.

    Args:
        steps: of `steps_of`.
        initial: the initial nodes that are read; the input is ``(batch, channels, height, width)``.
        groups: a divisor of the number of channels.
        epsilon: see `expression`.
        moments: running moments.
    """
    values = dict(initial)
    forward = _Forward(groups, epsilon, moments, {})
    for step in steps:
        operands = [values[operand] for operand in step.operands]
        if step.operation in AGGREGATIONS:
            values[step.number] = forward.aggregated(step, operands[0])
        elif len(operands) == 2:
            values[step.number] = _binary(step, operands[0], operands[1], epsilon)
        else:
            values[step.number] = _unary(step.operation, operands[0], epsilon)
    return values


@dataclass(slots=True)
class _Forward:
    groups: int
    epsilon: float
    moments: Moments
    known: dict[int, Pair]
    """Moments over the pixels of tensors that the pass keeps alive, by their identity."""

    def aggregated(self, step: Step, value: Value) -> Value:
        """Return MEAN, RMS or STD of ``value`` over an index set."""
        moment = self.moments.running(step) if "b" in step.over else None
        if moment is None:
            mean, variance = pooled(self._over_pixels(value), step.over, self.groups)
            moment = mean if step.operation == "MEAN" else variance
            if step.operation == "RMS":
                moment = variance + mean.square()
            if "b" in step.over:
                tensor = value.shift if value.base is None else value.base
                assert tensor is not None
                self.moments.note(step, moment, 0 if value.base is None else tensor.numel() // tensor.shape[1])
        return Value(None, None, moment if step.operation == "MEAN" else (moment + self.epsilon).sqrt())

    def _over_pixels(self, value: Value) -> Pair:
        if value.base is None:
            small = value.tensor()
            return small, torch.zeros_like(small)
        key = id(value.base)
        if key not in self.known:
            self.known[key] = pixel_moments(value.base)
        mean, variance = self.known[key]
        if value.scale is not None:
            mean, variance = mean * value.scale, variance * (value.scale * value.scale)
        return (mean if value.shift is None else mean + value.shift), variance


def _binary(step: Step, one: Value, other: Value, epsilon: float) -> Value:
    if step.operation == "ADD":
        return _sum(one, other)
    if step.operation == "MUL":
        return _product(one, other)
    if step.operation == "DIV":
        return _quotient(one, other, None if step.is_safe else epsilon)
    if ZERO in step.operands:
        kept = other if step.operands[0] == ZERO else one
        return _mapped(kept, torch.relu)
    if one is other:
        return one
    larger = maximum(one.tensor(), other.tensor())
    return Value(None, None, larger) if one.base is None and other.base is None else Value(larger)


def _sum(one: Value, other: Value) -> Value:
    if one.base is None:
        return other.plus(one.tensor())
    if other.base is None:
        return one.plus(other.tensor())
    if one.base is other.base:
        scale = (1.0 if one.scale is None else one.scale) + (1.0 if other.scale is None else other.scale)
        summed = Value(one.base, scale, one.shift)
        return summed if other.shift is None else summed.plus(other.shift)
    return Value(one.tensor() + other.tensor())


def _product(one: Value, other: Value) -> Value:
    if one.base is None:
        return other.times(one.tensor())
    if other.base is None:
        return one.times(other.tensor())
    (left, factor), (right, second) = one.factored(), other.factored()
    base = left.square() if left is right else left * right
    return Value(base, factor if second is None else _times(factor, second))


def _quotient(one: Value, other: Value, epsilon: float | None) -> Value:
    divisor = other.tensor() if epsilon is None else guarded(other.tensor(), epsilon)
    if other.base is None:
        return one.times(divisor.reciprocal())
    if one.base is None:
        return Value(divisor.reciprocal(), one.tensor())
    left, factor = one.factored()
    return Value(quotient(left, divisor), factor)


def guarded(divisor: Tensor, epsilon: float) -> Tensor:
    """Return the divisor with entries nearer to zero than ε moved to ±ε, and no gradient there."""
    return torch.copysign(divisor.abs().clamp_min(epsilon), divisor + 0.0)


def _unary(operation: str, value: Value, epsilon: float) -> Value:
    match operation:
        case "NEG":
            return value.times(-1.0)
        case "SQUARE":
            return _product(value, value)
        case "ABS":
            return _mapped(value, torch.abs)
        case "EXP":
            return _mapped(value, torch.exp)
        case "SIGMOID":
            return _mapped(value, torch.sigmoid)
        case "TANH":
            return _mapped(value, torch.tanh)
        case "SILU":
            return _mapped(value, F.silu)
        case "LOG":
            return _mapped(value, lambda tensor: tensor.sign() * (tensor.abs() + epsilon).log())
    return _mapped(value, lambda tensor: tensor.sign() * (tensor.abs() + epsilon).sqrt())


def _mapped(value: Value, function: Callable[[Tensor], Tensor]) -> Value:
    result = function(value.tensor())
    return Value(None, None, result) if value.base is None else Value(result)


def _times(scale: Scale, factor: Tensor | float) -> Tensor | float:
    return factor if scale is None else scale * factor


def _bound(number: int, node: Node, positive: set[int], nonnegative: set[int]) -> None:
    """Note whether a node is at least the root of ε, or at least zero, whatever the input."""
    operands = node.operands
    match node.operation:
        case "STD" | "RMS":
            is_positive = True
        case "MAX":
            is_positive = not positive.isdisjoint(operands)
        case "ADD":
            is_positive = not positive.isdisjoint(operands) and nonnegative.issuperset(operands)
        case _:
            is_positive = False
    if is_positive:
        positive.add(number)
    has_one, has_all = not nonnegative.isdisjoint(operands), nonnegative.issuperset(operands)
    always = is_positive or node.operation in ("ABS", "SQUARE", "EXP", "SIGMOID")
    if always or (has_one and node.operation == "MAX") or (has_all and node.operation in ("ADD", "MUL", "MEAN")):
        nonnegative.add(number)
