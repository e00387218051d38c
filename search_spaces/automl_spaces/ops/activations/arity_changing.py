"""Functions of several channels: they halve, double or mix them, so they fit only layers that are made for them.

Channels are axis 1. The gated linear units split them in two halves, a and b; the others take neighbours together.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.ops.activations.entries import Build, Family

_family = Family("arity_changing")
_module = _family.module


class GatedLinear(nn.Module):
    """a·gate(b), where a and b are the halves of the channels."""

    def __init__(self, gate: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._gate = gate

    def forward(self, x: Tensor) -> Tensor:
        """Return half as many channels."""
        first, second = x.chunk(2, dim=1)
        return first * self._gate(second)


class Concatenated(nn.Module):
    """r(x) beside r(-x): twice as many channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Return both."""
        return torch.cat((torch.relu(x), torch.relu(-x)), dim=1)


class Sorted(nn.Module):
    """Neighbouring channels in groups, each in ascending order at every position."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return as many channels."""
        groups = torch.unflatten(x, 1, (-1, self._size))
        if self._size > 2:
            return groups.sort(dim=2).values.flatten(1, 2)
        first, second = groups.unbind(2)
        return torch.stack((torch.minimum(first, second), torch.maximum(first, second)), dim=2).flatten(1, 2)


class Maxout(nn.Module):
    """The greater of two neighbouring channels."""

    def forward(self, x: Tensor) -> Tensor:
        """Return half as many channels."""
        first, second = torch.unflatten(x, 1, (-1, 2)).unbind(2)
        return torch.maximum(first, second)


def _gated(gate: Callable[[Tensor], Tensor]) -> Build:
    return lambda channels, values: GatedLinear(gate)


_module(
    "glu",
    "a·σ(b)",
    "Dauphin et al. 2016 arXiv:1612.08083",
    "zero",
    lambda channels, values: nn.GLU(dim=1),
    arity="halves",
    divisor=2,
)
_module(
    "reglu", "a·r(b)", "Shazeer 2020 arXiv:2002.05202", "zero", _gated(torch.relu), smooth=0, arity="halves", divisor=2
)
_module(
    "geglu", "a·GELU(b)", "Shazeer 2020 arXiv:2002.05202", "zero", _gated(functional.gelu), arity="halves", divisor=2
)
_module(
    "swiglu", "a·SiLU(b)", "Shazeer 2020 arXiv:2002.05202", "zero", _gated(functional.silu), arity="halves", divisor=2
)
_module(
    "bilinear", "a·b", "Shazeer 2020 arXiv:2002.05202", "zero", _gated(lambda half: half), arity="halves", divisor=2
)
_module(
    "maxout",
    "max(x₁, x₂) of neighbouring channels",
    "Goodfellow et al. 2013 arXiv:1302.4389",
    "monotone zero homogeneous",
    lambda channels, values: Maxout(),
    smooth=0,
    arity="halves",
    divisor=2,
)
_module(
    "crelu",
    "(r(x), r(-x))",
    "Shang et al. 2016 arXiv:1603.05201",
    "below zero homogeneous",
    lambda channels, values: Concatenated(),
    smooth=0,
    arity="doubles",
)
_module(
    "oplu",
    "(min, max) of neighbouring channels",
    "Chernodub and Nowicki 2016 arXiv:1604.02313",
    "monotone zero homogeneous",
    lambda channels, values: Sorted(2),
    smooth=0,
    divisor=2,
)
_module(
    "group_sort",
    "four neighbouring channels, sorted",
    "Anil et al. 2018 arXiv:1811.05381",
    "monotone zero homogeneous",
    lambda channels, values: Sorted(4),
    smooth=0,
    divisor=4,
)

ENTRIES = _family.entries
