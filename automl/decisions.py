"""Decisions and the choosers that answer them.

A search space is one walk: its `decide` asks a `Chooser` for named decisions, in order, and may ask different questions
depending on earlier answers. Whoever answers decides what the walk is: a random generator samples, a replay decodes, a
replay with one answer changed mutates, an odometer enumerates, a controller learns.

Contract of a walk:

* A name is asked at most once in a walk.
* A name always offers the same options; where the options differ, the branch belongs in the name (``inputs_3@n=5``).
* ``role`` says which decisions mean the same thing (all widths, all operations of an edge). It defaults to the name.
* The walk draws no randomness of its own and depends on nothing but the answers.
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar, cast

from numpy.random import Generator

from automl.errors import InvalidArchitecture

Scalar: TypeAlias = bool | int | float | str | None
Value: TypeAlias = Scalar | tuple[int, ...]
T = TypeVar("T", bound=Scalar)


@dataclass(frozen=True, slots=True)
class Categorical:
    """One of ``options``, which have no order."""

    name: str
    role: str
    options: tuple[Scalar, ...]
    kind: Literal["categorical"] = "categorical"

    @property
    def size(self) -> float:
        """Number of possible answers."""
        return len(self.options)

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is an answer to this decision (``True`` is not ``1``)."""
        for option in self.options:  # noqa: SIM110 - three times as fast as any(), and the most frequent call of all
            if option is value or (value == option and type(value) is type(option)):
                return True
        return False

    def answers(self) -> Iterator[Value]:
        """Yield every answer, in a fixed order."""
        return iter(self.options)

    def draw(self, rng: Generator) -> Value:
        """Draw an answer uniformly."""
        return self.options[int(rng.integers(len(self.options)))]


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number in ``[low, high]``, both included; uniform on a log scale when ``log``."""

    name: str
    role: str
    low: int
    high: int
    log: bool = False
    kind: Literal["integer"] = "integer"

    @property
    def size(self) -> float:
        """Number of possible answers."""
        return self.high - self.low + 1

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is an answer to this decision."""
        return type(value) is int and self.low <= value <= self.high

    def answers(self) -> Iterator[Value]:
        """Yield every answer, in ascending order."""
        return iter(range(self.low, self.high + 1))

    def draw(self, rng: Generator) -> Value:
        """Draw an answer, uniformly on the decision's scale."""
        if not self.log:
            return int(rng.integers(self.low, self.high + 1))
        exponent = rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5))
        return min(self.high, max(self.low, round(math.exp(exponent))))


@dataclass(frozen=True, slots=True)
class Real:
    """A real number in ``[low, high]``; uniform on a log scale when ``log``."""

    name: str
    role: str
    low: float
    high: float
    log: bool = False
    kind: Literal["real"] = "real"

    @property
    def size(self) -> float:
        """Number of possible answers: infinite unless the interval is a point."""
        return 1 if self.low == self.high else math.inf

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is an answer to this decision."""
        return type(value) in (int, float) and self.low <= cast(float, value) <= self.high

    def answers(self) -> Iterator[Value]:
        """Raise `InvalidArchitecture`: an interval cannot be enumerated."""
        raise InvalidArchitecture(f"decision {self.name!r} is a real interval and cannot be enumerated")

    def draw(self, rng: Generator) -> Value:
        """Draw an answer, uniformly on the decision's scale."""
        if not self.log:
            return float(rng.uniform(self.low, self.high))
        drawn = math.exp(rng.uniform(math.log(self.low), math.log(self.high)))
        return min(self.high, max(self.low, drawn))


@dataclass(frozen=True, slots=True)
class Index:
    """The position of one of ``count`` earlier items."""

    name: str
    role: str
    count: int
    kind: Literal["index"] = "index"

    @property
    def size(self) -> float:
        """Number of possible answers."""
        return self.count

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is an answer to this decision."""
        return type(value) is int and 0 <= value < self.count

    def answers(self) -> Iterator[Value]:
        """Yield every answer, in ascending order."""
        return iter(range(self.count))

    def draw(self, rng: Generator) -> Value:
        """Draw an answer uniformly."""
        return int(rng.integers(self.count))


@dataclass(frozen=True, slots=True)
class Subset:
    """A set of ``smallest`` to ``largest`` of ``count`` earlier items, as ascending positions."""

    name: str
    role: str
    count: int
    smallest: int
    largest: int
    kind: Literal["subset"] = "subset"

    @property
    def size(self) -> float:
        """Number of possible answers."""
        return sum(math.comb(self.count, size) for size in range(self.smallest, self.largest + 1))

    def accepts(self, value: object) -> bool:
        """Say whether ``value`` is an answer to this decision."""
        if not isinstance(value, tuple) or not self.smallest <= len(value) <= self.largest:
            return False
        in_range = all(type(item) is int and 0 <= item < self.count for item in value)
        return in_range and all(a < b for a, b in itertools.pairwise(value))

    def answers(self) -> Iterator[Value]:
        """Yield every answer, small sets first."""
        for size in range(self.smallest, self.largest + 1):
            yield from itertools.combinations(range(self.count), size)

    def draw(self, rng: Generator) -> Value:
        """Draw an answer uniformly over all admissible sets."""
        weights = [math.comb(self.count, size) for size in range(self.smallest, self.largest + 1)]
        pick, size = rng.random() * sum(weights), self.smallest
        for weight in weights[:-1]:
            if pick < weight:
                break
            pick, size = pick - weight, size + 1
        return tuple(sorted(int(item) for item in rng.choice(self.count, size=size, replace=False)))


Decision: TypeAlias = Categorical | Integer | Real | Index | Subset


class Chooser(ABC):
    """Answers the decisions of a walk. A subclass implements `answer`; spaces call the named methods.

    >>> class First(Chooser):
    ...     def answer(self, decision):
    ...         return next(decision.answers())
    >>> First().integer("depth", 1, 4)
    1
    """

    @abstractmethod
    def answer(self, decision: Decision) -> Value:
        """Return an answer that ``decision.accepts``."""

    def categorical(self, name: str, options: Sequence[T], role: str | None = None) -> T:
        """Ask for one of ``options``: distinct booleans, numbers, strings or ``None``, at least one."""
        return cast(T, self.answer(Categorical(name, role or name, tuple(options))))

    def integer(self, name: str, low: int, high: int, *, log: bool = False, role: str | None = None) -> int:
        """Ask for a whole number in ``[low, high]``; ``log`` needs ``low >= 1``."""
        return cast(int, self.answer(Integer(name, role or name, low, high, log)))

    def real(self, name: str, low: float, high: float, *, log: bool = False, role: str | None = None) -> float:
        """Ask for a real number in ``[low, high]``; ``log`` needs ``low > 0``."""
        return cast(float, self.answer(Real(name, role or name, low, high, log)))

    def index(self, name: str, count: int, role: str | None = None) -> int:
        """Ask for one of ``count >= 1`` earlier items, by position."""
        return cast(int, self.answer(Index(name, role or name, count)))

    def subset(
        self,
        name: str,
        count: int,
        *,
        smallest: int = 0,
        largest: int | None = None,
        role: str | None = None,
    ) -> tuple[int, ...]:
        """Ask for a set of ``smallest`` to ``largest`` (default all) of ``count`` earlier items."""
        most = count if largest is None else min(largest, count)
        return cast("tuple[int, ...]", self.answer(Subset(name, role or name, count, smallest, most)))


class RandomChooser(Chooser):
    """Draws every answer from ``rng``, uniformly on each decision's scale."""

    def __init__(self, rng: Generator) -> None:
        self._rng = rng

    def answer(self, decision: Decision) -> Value:
        """Draw an answer."""
        return decision.draw(self._rng)


class ReplayChooser(Chooser):
    """Answers from recorded values, by name.

    Without ``otherwise`` the replay is strict: a missing name or an answer the decision does not accept raises
    `InvalidArchitecture`. With it, such decisions are handed to ``otherwise`` (repair, mutation, warm start).
    """

    def __init__(self, values: Mapping[str, Value], otherwise: Chooser | None = None) -> None:
        self._values = values
        self._otherwise = otherwise

    def answer(self, decision: Decision) -> Value:
        """Return the recorded answer, or that of ``otherwise``."""
        value = self._values.get(decision.name, _MISSING)
        if value is not _MISSING and decision.accepts(value):
            return cast(Value, value)
        if self._otherwise is not None:
            return self._otherwise.answer(decision)
        found = "nothing" if value is _MISSING else repr(value)
        raise InvalidArchitecture(f"decision {decision.name!r} has no valid answer: found {found} for {decision}")


class RecordingChooser(Chooser):
    """Passes every decision to ``inner`` and keeps the questions and answers in order.

    Raises `InvalidArchitecture` when a name is asked twice or ``inner`` gives an answer that is none.
    """

    def __init__(self, inner: Chooser) -> None:
        self._inner = inner
        self.decisions: list[Decision] = []
        self.values: dict[str, Value] = {}

    def answer(self, decision: Decision) -> Value:
        """Return and record the inner chooser's answer."""
        if decision.name in self.values:
            raise InvalidArchitecture(f"decision {decision.name!r} is asked twice in one walk; names must be unique")
        value = self._inner.answer(decision)
        if not decision.accepts(value):
            raise InvalidArchitecture(f"{value!r} is no answer to {decision}")
        self.decisions.append(decision)
        self.values[decision.name] = value
        return value


class EnumeratingChooser(Chooser):
    """An odometer over all walks: run the walk, then `advance`, until that says no.

    >>> chooser, seen = EnumeratingChooser(), []
    >>> while True:
    ...     seen.append((chooser.categorical("a", "xy"), chooser.categorical("b", (0, 1))))
    ...     if not chooser.advance():
    ...         break
    >>> len(seen)
    4
    """

    def __init__(self) -> None:
        self._path: list[tuple[list[Value], int]] = []
        self._depth = 0

    def answer(self, decision: Decision) -> Value:
        """Return the answer at the odometer's position for the decision asked now."""
        if self._depth == len(self._path):
            self._path.append((list(decision.answers()), 0))
        answers, position = self._path[self._depth]
        self._depth += 1
        return answers[position]

    def advance(self) -> bool:
        """Step to the next walk; ``False`` when all have been seen."""
        self._depth = 0
        while self._path:
            answers, position = self._path.pop()
            if position + 1 < len(answers):
                self._path.append((answers, position + 1))
                return True
        return False


_MISSING = object()
