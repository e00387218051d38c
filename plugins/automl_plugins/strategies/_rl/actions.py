"""What a policy chooses from: the answers to a decision as actions.

An action is a position, or for a subset the chosen positions. Categorical and index decisions have one action for each
answer. Integers do too, up to ``bins`` of them. Longer ranges and real intervals are cut into ``bins`` bins of equal
width on the decision's own scale; the answer is uniform inside its bin. Bins rather than a Gaussian head: they are
bounded, may have several modes, and learn by the same exact gradient as everything else.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_right
from typing import TypeAlias, cast

from numpy.random import Generator

from automl import Decision, Integer, Real, Value

Action: TypeAlias = int | tuple[int, ...]


class Actions(ABC):
    """The actions of one decision.

    Attributes:
        count: number of logits: actions, or for a subset the items.
        signature: says which decisions of one role may share weights: those with equal signatures.
    """

    def __init__(self, count: int, signature: str) -> None:
        self.count = count
        self.signature = signature

    @abstractmethod
    def value(self, action: Action, rng: Generator) -> Value:
        """Return an answer of the action."""

    @abstractmethod
    def action(self, value: Value) -> Action:
        """Return the action whose answer ``value`` is."""

    def log_share(self, action: Action) -> float:
        """Return the log-probability of one answer given its action; real numbers count as their bin."""
        return 0.0


class _Listed(Actions):
    """One action for each answer."""

    def __init__(self, values: tuple[Value, ...], signature: str) -> None:
        super().__init__(len(values), signature)
        self._values = values
        self._places = {(type(value), value): place for place, value in enumerate(values)}

    def value(self, action: Action, rng: Generator) -> Value:
        return self._values[cast(int, action)]

    def action(self, value: Value) -> Action:
        return self._places[type(value), value]


class _Subset(Actions):
    """The chosen positions themselves."""

    def value(self, action: Action, rng: Generator) -> Value:
        return cast("tuple[int, ...]", action)

    def action(self, value: Value) -> Action:
        return cast("tuple[int, ...]", value)


class _IntegerBins(Actions):
    """Ranges of whole numbers of nearly equal width on the decision's scale, none of them empty."""

    def __init__(self, decision: Integer, bins: int, signature: str) -> None:
        cuts = _cuts(decision.low - 0.5, decision.high + 0.5, bins, is_log=decision.log)[1:-1]
        inner = {math.ceil(cut) for cut in cuts} - {decision.low}
        self._starts = [decision.low, *sorted(start for start in inner if decision.low < start <= decision.high)]
        self._ends = [*self._starts[1:], decision.high + 1]
        super().__init__(len(self._starts), signature)

    def value(self, action: Action, rng: Generator) -> Value:
        return int(rng.integers(self._starts[cast(int, action)], self._ends[cast(int, action)]))

    def action(self, value: Value) -> Action:
        return bisect_right(self._starts, cast(int, value)) - 1

    def log_share(self, action: Action) -> float:
        return -math.log(self._ends[cast(int, action)] - self._starts[cast(int, action)])


class _RealBins(Actions):
    """Intervals of equal width on the decision's scale."""

    def __init__(self, decision: Real, bins: int, signature: str) -> None:
        super().__init__(bins, signature)
        self._is_log = decision.log
        self._edges = _cuts(decision.low, decision.high, bins, is_log=decision.log)

    def value(self, action: Action, rng: Generator) -> Value:
        low, high = self._edges[cast(int, action)], self._edges[cast(int, action) + 1]
        drawn = rng.uniform(math.log(low), math.log(high)) if self._is_log else rng.uniform(low, high)
        inside = math.nextafter(high, low) if action != self.count - 1 else high
        return min(inside, max(low, math.exp(drawn) if self._is_log else float(drawn)))

    def action(self, value: Value) -> Action:
        return min(self.count, bisect_right(self._edges, cast(float, value))) - 1


def actions_of(decision: Decision, bins: int, *, is_exact: bool = False) -> Actions:
    """Return the actions of a decision; ``is_exact`` never puts several whole numbers into one bin."""
    match decision.kind:
        case "categorical":
            return _Listed(decision.options, repr(decision.options))
        case "index":
            return _Listed(tuple(range(decision.count)), f"index {decision.count}")
        case "subset":
            return _Subset(decision.count, f"subset {decision.count}")
        case "integer":
            signature = f"integer {decision.low} {decision.high} {decision.log}"
            if is_exact or decision.size <= bins:
                return _Listed(tuple(range(decision.low, decision.high + 1)), signature)
            return _IntegerBins(decision, bins, signature)
        case "real":
            return _RealBins(decision, bins, f"real {decision.low} {decision.high} {decision.log}")


def _cuts(low: float, high: float, bins: int, *, is_log: bool) -> list[float]:
    """Return the ``bins + 1`` ends of bins of equal width, the outermost exact."""
    if is_log:
        inner = [low * (high / low) ** (i / bins) for i in range(1, bins)]
    else:
        inner = [low + (high - low) * i / bins for i in range(1, bins)]
    return [low, *inner, high]
