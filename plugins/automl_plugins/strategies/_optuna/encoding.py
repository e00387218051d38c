"""How the decisions of a walk become Optuna's parameters, and the values of parameters an answer.

Two encodings. **Plain**: one parameter per decision, categorical where the decision has no order; a subset with many
answers is one yes or no per item. **Relaxed**, for samplers that know only numbers: an option, item or position is a
number in [0, 1] each; of several options the one with the greatest number is meant, and a subset is the items above one
half, with the next greatest added or the least left out until its size is allowed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

from numpy.random import Generator
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from automl import Decision, RandomChooser, SearchSpace, Subset, Value

Parameters: TypeAlias = dict[str, BaseDistribution]
Point: TypeAlias = dict[str, Any]

_MAX_SUBSETS = 256
_LOW, _HIGH = 1 / 3, 2 / 3
_PROBES = 64


class _Shared:
    """A distribution that is made once per decision: equal if identical, and never copied."""

    def __eq__(self, other: object) -> bool:
        return self is other or super().__eq__(other)

    __hash__ = BaseDistribution.__hash__

    def __deepcopy__(self, memo: object) -> Any:
        return self


class _Float(_Shared, FloatDistribution):
    """A real number."""


class _Int(_Shared, IntDistribution):
    """A whole number."""


class _Choice(_Shared, CategoricalDistribution):
    """The position of one of ``count`` options, so that nothing is ever looked up."""

    def __init__(self, count: int) -> None:
        super().__init__(range(count))

    def to_internal_repr(self, param_value_in_external_repr: Any) -> float:
        return param_value_in_external_repr  # type: ignore[no-any-return]

    def to_external_repr(self, param_value_in_internal_repr: float) -> int:
        return int(param_value_in_internal_repr)


FRACTION = _Float(0.0, 1.0)


class Encoding(ABC):
    """Decisions as parameters. The parameters of a decision are always the same objects."""

    @abstractmethod
    def parameters(self, decision: Decision) -> Parameters:
        """Return the parameters of ``decision``, by name."""

    @abstractmethod
    def decode(self, decision: Decision, point: Mapping[str, Any]) -> Value:
        """Return the answer that the parameters' values in ``point`` mean."""

    @abstractmethod
    def encode(self, decision: Decision, value: Value, near: Mapping[str, Any]) -> Point:
        """Return values of the parameters that mean ``value``, as close as may be to those in ``near``, if any."""


@dataclass
class PlainEncoding(Encoding):
    """One parameter per decision."""

    _known: dict[Decision, Parameters] = field(default_factory=dict)

    def parameters(self, decision: Decision) -> Parameters:
        """Return one parameter, or one per item of a large subset."""
        known = self._known.get(decision)
        if known is None:
            known = self._known[decision] = self._parameters(decision)
        return known

    def _parameters(self, decision: Decision) -> Parameters:
        if decision.kind == "subset" and decision.size > _MAX_SUBSETS:
            return {_item(decision.name, i): _Choice(2) for i in range(decision.count)}
        return {decision.name: _number(decision) or _Choice(int(decision.size))}

    def decode(self, decision: Decision, point: Mapping[str, Any]) -> Value:
        """Return the answer."""
        match decision.kind:
            case "categorical":
                return decision.options[int(point[decision.name])]
            case "index":
                return int(point[decision.name])
            case "subset" if decision.size <= _MAX_SUBSETS:
                return _subsets(decision)[int(point[decision.name])]
            case "subset":
                chosen = [float(point[_item(decision.name, i)]) for i in range(decision.count)]
                return _admissible(decision, chosen)
        return _clipped(decision, point[decision.name])

    def encode(self, decision: Decision, value: Value, near: Mapping[str, Any]) -> Point:
        """Return the only values that mean ``value``."""
        match decision.kind:
            case "categorical":
                return {decision.name: _position(decision, value)}
            case "subset" if decision.size <= _MAX_SUBSETS:
                return {decision.name: _subsets(decision).index(value)}
            case "subset":
                chosen = set(value) if isinstance(value, tuple) else set()
                return {_item(decision.name, i): int(i in chosen) for i in range(decision.count)}
        return {decision.name: value}


@dataclass
class RelaxedEncoding(Encoding):
    """Numbers only."""

    _known: dict[Decision, Parameters] = field(default_factory=dict)

    def parameters(self, decision: Decision) -> Parameters:
        """Return one number, or one per option or item."""
        known = self._known.get(decision)
        if known is None:
            number = _number(decision)
            known = {decision.name: number} if number else dict.fromkeys(_items(decision), FRACTION)
            self._known[decision] = known
        return known

    def decode(self, decision: Decision, point: Mapping[str, Any]) -> Value:
        """Return the answer: arg max for one of several options, items above one half for a subset."""
        if decision.kind in ("integer", "real"):
            return _clipped(decision, point[decision.name])
        heights = [float(point[name]) for name in _items(decision)]
        if decision.kind == "subset":
            return _admissible(decision, heights)
        best = heights.index(max(heights))
        return decision.options[best] if decision.kind == "categorical" else best

    def encode(self, decision: Decision, value: Value, near: Mapping[str, Any]) -> Point:
        """Return ``near`` where it means ``value``, and else with as few changes as make it so.

        Of options, the greatest number changes places with that of ``value``. An item of a subset that is on the wrong
        side of one half is reflected there. Without ``near``, numbers are 2/3 for what is chosen and 1/3 for the rest.
        """
        names = list(self.parameters(decision))
        if decision.kind in ("integer", "real"):
            return {decision.name: value}
        chosen = _chosen(decision, value)
        if not all(fits(FRACTION, near.get(name)) for name in names):
            return {name: _HIGH if i in chosen else _LOW for i, name in enumerate(names)}
        point = {name: float(near[name]) for name in names}
        if self.decode(decision, point) == value:
            return point
        if decision.kind == "subset":
            return {name: _on_side(point[name], above=i in chosen) for i, name in enumerate(names)}
        heights = list(point.values())
        greatest, wanted = heights.index(max(heights)), min(chosen)
        heights[greatest], heights[wanted] = heights[wanted], heights[greatest]
        swapped = dict(zip(names, heights, strict=True))
        return swapped if self.decode(decision, swapped) == value else self.encode(decision, value, {})


def fits(distribution: BaseDistribution, value: object) -> bool:
    """Say whether ``value`` is a number that a parameter with ``distribution`` may have."""
    if isinstance(distribution, FloatDistribution):
        return type(value) in (int, float) and distribution.low <= value <= distribution.high  # type: ignore[operator]
    if isinstance(distribution, IntDistribution):
        return type(value) is int and distribution.low <= value <= distribution.high
    return False


def universe(space: SearchSpace[Any], rng: Generator) -> list[Decision]:
    """Return the open decisions that 64 random walks ask, sorted by name.

    For samplers that want the same parameters in every trial. A decision that no walk asked is answered at random.
    """
    probe = _Probe(rng)
    for _ in range(_PROBES):
        space.walk(probe)
    return [probe.found[name] for name in sorted(probe.found)]


class _Probe(RandomChooser):
    """Draws every answer and keeps the open questions."""

    def __init__(self, rng: Generator) -> None:
        super().__init__(rng)
        self.found: dict[str, Decision] = {}

    def answer(self, decision: Decision) -> Value:
        if decision.size > 1:
            self.found[decision.name] = decision
        return super().answer(decision)


def _number(decision: Decision) -> BaseDistribution | None:
    if decision.kind == "integer":
        return _Int(decision.low, decision.high, log=decision.log)
    if decision.kind == "real":
        return _Float(decision.low, decision.high, log=decision.log)
    return None


def _clipped(decision: Decision, value: Any) -> Value:
    """Return a number inside the decision's interval; logarithms leave it by a rounding error."""
    if decision.kind == "integer":
        return int(min(max(value, decision.low), decision.high))
    if decision.kind == "real":
        return float(min(max(value, decision.low), decision.high))
    raise TypeError(f"{decision} is no number")


def _item(name: str, position: int) -> str:
    return f"{name}[{position}]"


def _items(decision: Decision) -> list[str]:
    count = decision.count if decision.kind == "subset" else int(decision.size)
    return [_item(decision.name, i) for i in range(count)]


def _position(decision: Decision, value: Value) -> int:
    """Return the position of an option (``True`` is not ``1``) or index."""
    if decision.kind != "categorical":
        return value  # type: ignore[return-value]
    options = decision.options
    return next(i for i, option in enumerate(options) if option == value and type(option) is type(value))


def _chosen(decision: Decision, value: Value) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (_position(decision, value),)


@cache
def _subsets(decision: Subset) -> list[Value]:
    return list(decision.answers())


def _admissible(decision: Subset, heights: list[float]) -> tuple[int, ...]:
    """Return the items above one half, the highest of the rest added or the lowest left out as sizes demand."""
    order = sorted(range(decision.count), key=lambda i: (-heights[i], i))
    size = sum(height > 0.5 for height in heights)
    return tuple(sorted(order[: min(max(size, decision.smallest), decision.largest)]))


def _on_side(height: float, *, above: bool) -> float:
    if height == 0.5:
        return _HIGH if above else _LOW
    return height if (height > 0.5) == above else 1.0 - height
