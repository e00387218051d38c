"""Rational functions shared by groups of inputs: GR-KAN [1].

[1] Yang and Wang. Kolmogorov-Arnold Transformer. arXiv 2409.10594.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers.basis import Basis, Choice, Family

Start: TypeAlias = Literal["identity", "relu", "silu", "gelu", "tanh"]

FITS: Mapping[Start, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "identity": ((0.0, 1.0, 0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 0.0)),
    "relu": ((0.015567, 0.499998, 2.50682, 3.801264, 2.076095, 0.362978), (0.0, 7.602558, 0.0, 0.725959)),
    "silu": ((0.0, 0.5, 0.249997, 0.053249, 0.005795, 0.000274), (0.0, 0.106498, 0.0, 0.000548)),
    "gelu": ((-0.000436, 0.5, 0.402795, 0.07492, -0.012069, -0.003578), (0.0, 0.149838, 0.0, -0.007156)),
    "tanh": ((0.0, 0.999993, 0.0, 0.107538, 0.0, 0.000864), (0.0, 0.440838, 0.0, 0.014521)),
}
"""Numerators ``a_0 ... a_5`` and denominators ``b_1 ... b_4`` that fit known functions, by reweighted least squares."""

FIT_ERRORS: Mapping[Start, float] = {"identity": 0.0, "relu": 0.016, "silu": 2e-5, "gelu": 6e-4, "tanh": 2e-5}
"""Largest error of each fit on [-3, 3]."""


@dataclass(frozen=True)
class Rational(Family):
    """``(a_0 + ... + a_5 x^5) / (1 + |b_1 x + ... + b_4 x^4|)``: ``a`` shared by the layer, ``b`` by ``groups``.

    One function per input and a weight per edge. The denominator is 1 at least: the absolute value is of the sum, as
    in [1]; of the single powers it would not be enough. Groups are stretches of inputs as equal as can be; there are
    fewer where there are fewer inputs.

    >>> Rational().size
    1
    """

    name: ClassVar[str] = "rational"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {
        "groups": (1, 2, 4, 8),
        "start": ("identity", "relu", "silu", "gelu", "tanh"),
    }

    groups: int = 8
    start: Start = "silu"

    @property
    def size(self) -> int:
        return 1

    def basis(self, inputs: int) -> Basis:
        return RationalBasis(inputs, self)

    def flops(self) -> int:
        return 21

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        return 6 + 4 * min(self.groups, inputs)


class RationalBasis(Basis):
    """One rational function for each group of inputs."""

    group: Tensor

    def __init__(self, inputs: int, family: Rational) -> None:
        super().__init__(inputs, 1)
        groups = min(family.groups, inputs)
        numerator, denominator = FITS[family.start]
        self.numerator = nn.Parameter(torch.tensor(numerator))
        self.denominator = nn.Parameter(torch.tensor(denominator).repeat(groups, 1))
        self.register_buffer("group", torch.arange(inputs) * groups // inputs)

    def of_nodes(self, nodes: Tensor) -> Basis:
        """Leave out groups that none of ``nodes`` is in, too."""
        made = copy.deepcopy(self)
        made.inputs = len(nodes)
        heard, made.group = torch.unique(self.group[nodes.to(self.group.device)], return_inverse=True)
        made.denominator = nn.Parameter(self.denominator.detach()[heard])
        return made

    def plain(self, x: Tensor) -> Tensor:
        a, b = self.numerator, self.denominator[self.group].t()
        top = a[5]
        for power in range(4, -1, -1):
            top = a[power] + x * top
        bottom = x * (b[0] + x * (b[1] + x * (b[2] + x * b[3])))
        return (top / (1.0 + bottom.abs())).unsqueeze(-2)
