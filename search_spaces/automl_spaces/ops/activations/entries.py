"""What is known of one activation function."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from automl import ConfigurationError
from automl_spaces.ops.activations.curve import Curve, Function, Slope

SMOOTH = 99
"""Stands for C^∞."""

ParameterShape = Literal["scalar", "channel", "element"]
Arity = Literal["same", "halves", "doubles"]
Build = Callable[["int | None", Mapping[str, float]], nn.Module]
FLAGS = ("monotone", "below", "above", "odd", "even", "zero", "homogeneous", "stochastic")

_REFERENCE = re.compile(r"(.+) (\d{4})(?: arXiv:([\d.]+))?")


@dataclass(frozen=True, slots=True)
class Reference:
    """Who described it first, as far as we know, or whose form of it this is.

    >>> Reference.parse("Misra 2019 arXiv:1908.08681").arxiv
    '1908.08681'
    """

    authors: str
    year: int
    arxiv: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Return the reference of ``authors year [arXiv:number]``."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"{text!r} is no reference; write 'Misra 2019 arXiv:1908.08681'")
        return cls(match[1], int(match[2]), match[3] or "")

    def __str__(self) -> str:
        """Return it as in a list of references."""
        return f"{self.authors} {self.year}" + (f", arXiv:{self.arxiv}" if self.arxiv else "")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of an activation.

    Attributes:
        name: of the argument of `make`.
        default: its value, and a trainable one's first.
        low: the least sensible value.
        high: the greatest one.
        trainable: whether it is learned.
        shape: ``channel`` for a value of each channel, where their number is known.
    """

    name: str
    default: float
    low: float = -math.inf
    high: float = math.inf
    trainable: bool = False
    shape: ParameterShape = "scalar"


@dataclass(frozen=True, slots=True)
class Entry:
    """An activation function: what it is called, what it computes, what is known of it.

    Attributes:
        name: what a user types.
        family: the file that it is written in.
        formula: of one line; ``r(x)`` is ReLU, ``σ`` the sigmoid, ``sp`` softplus, ``a | b`` means a for x ≥ 0, else b.
        reference: where it comes from.
        build: makes the module of a number of channels and values of parameters.
        aliases: other names of the same function.
        parameters: fixed and trainable ones.
        flags: properties with the default parameters, of `FLAGS`: ``below`` and ``above`` mean bounded.
        smooth: k of C^k, -1 for a jump, `SMOOTH` for all k.
        arity: what becomes of the number of channels.
        divisor: the number of channels must be a multiple of it.
        curve: the element-wise function, if it is one of ours.
    """

    name: str
    family: str
    formula: str
    reference: Reference
    build: Build
    aliases: tuple[str, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    flags: frozenset[str] = frozenset()
    smooth: int = SMOOTH
    arity: Arity = "same"
    divisor: int = 1
    curve: Curve | None = field(default=None, compare=False)

    @property
    def keeps_shape(self) -> bool:
        """Whether it fits any layer: as many channels out as in, whatever their number."""
        return self.arity == "same" and self.divisor == 1

    @property
    def trainable(self) -> bool:
        """Whether any parameter is learned."""
        return any(parameter.trainable for parameter in self.parameters)

    @property
    def gain(self) -> float:
        """α = 1 / E f(z)², z ~ N(0, 1): weights of variance α / n keep the second moment of their layer."""
        from automl_spaces.ops.activations.measures import gain

        return gain(self.name)

    @property
    def cost(self) -> float:
        """Time of a forward and backward pass, of ReLU's, as benchmarks/activations.py last measured it."""
        from automl_spaces.ops.activations.costs import COSTS

        return COSTS[self.name]

    def values(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the value of each parameter; raises `ConfigurationError` for unknown ones."""
        known = {parameter.name: parameter.default for parameter in self.parameters}
        for name in given:
            if name not in known:
                has = f"has {', '.join(known)}" if known else "has none"
                raise ConfigurationError(f"activation {self.name!r} has no parameter {name!r}; it {has}")
        return {**known, **given}


class Pointwise(nn.Module):
    """A curve with its parameters: any shape in, the same out; channels are axis 1.

    Trainable parameters are of shape ``(channels,)`` or ``(1,)``.

    >>> from automl_spaces.ops import activations
    >>> activations.make("snake", channels=3)(torch.zeros(2, 3, 4, 4)).shape
    torch.Size([2, 3, 4, 4])
    """

    def __init__(self, entry: Entry, channels: int | None, values: Mapping[str, float]) -> None:
        super().__init__()
        assert entry.curve is not None
        self.name = entry.name
        self._curve = entry.curve
        self._values: dict[str, float] = {}
        self._order = tuple(parameter.name for parameter in entry.parameters)
        for parameter in entry.parameters:
            value = values[parameter.name]
            if parameter.trainable:
                size = channels if parameter.shape == "channel" and channels else 1
                self.register_parameter(parameter.name, nn.Parameter(torch.full((size,), float(value))))
            else:
                self._values[parameter.name] = float(value)
        from automl import register_activation  # which loads what proxies need; entries alone do without

        register_activation(entry.curve, entry.name, is_exact="homogeneous" in entry.flags)

    def forward(self, x: Tensor) -> Tensor:
        """Return the function's value at each element."""
        return self._curve(x, *[self._value(name, x) for name in self._order])

    def extra_repr(self) -> str:
        """Return the name and the fixed parameters."""
        return ", ".join([self.name, *(f"{name}={value:g}" for name, value in self._values.items())])

    def _value(self, name: str, x: Tensor) -> float | Tensor:
        if name in self._values:
            return self._values[name]
        value: Tensor = getattr(self, name).to(x.dtype)
        return value.reshape(()) if value.numel() == 1 else value.view(-1, *(1,) * (x.dim() - 2))


class Family:
    """Writes down the entries of one file.

    >>> family = Family("mine")
    >>> family.curve("half", "x/2", "Nobody 2026", "monotone odd zero", lambda x: x / 2)
    >>> family.entries[0].name
    'half'
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: list[Entry] = []

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What was written down."""
        return tuple(self._entries)

    def curve(
        self,
        name: str,
        formula: str,
        reference: str,
        flags: str,
        function: Function,
        slope: Slope | None = None,
        *,
        smooth: int = SMOOTH,
        parameters: tuple[Parameter, ...] = (),
        aliases: tuple[str, ...] = (),
        module: type[Pointwise] = Pointwise,
    ) -> None:
        """Add an element-wise function of our own."""
        entry = Entry(
            name,
            self.name,
            formula,
            Reference.parse(reference),
            lambda channels, values: module(entry, channels, values),
            aliases,
            parameters,
            frozenset(flags.split()),
            smooth,
            curve=Curve(name, function, slope),
        )
        self._entries.append(entry)

    def module(self, name: str, formula: str, reference: str, flags: str, build: Build, **more: Any) -> None:
        """Add a module: one of PyTorch, where that is a single kernel, or one that is no function of each element."""
        entry = functools.partial(Entry, flags=frozenset(flags.split()))
        self._entries.append(entry(name, self.name, formula, Reference.parse(reference), build, **more))


def number(name: str, default: float, low: float = -math.inf, high: float = math.inf) -> Parameter:
    """Return a parameter that is not learned."""
    return Parameter(name, default, low, high)


def learned(name: str, default: float, low: float = -math.inf, high: float = math.inf) -> Parameter:
    """Return a trainable parameter, one for each channel where their number is known."""
    return Parameter(name, default, low, high, trainable=True, shape="channel")


def shared(name: str, default: float, low: float = -math.inf, high: float = math.inf) -> Parameter:
    """Return a trainable parameter of the whole layer."""
    return Parameter(name, default, low, high, trainable=True)
