"""Bumps made of two rectified lines [1].

[1] Qiu et al. ReLU-KAN: New Kolmogorov-Arnold networks that only need matrix addition, dot multiplication, and ReLU.
arXiv 2406.02075.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers.basis import Basis, Before, Choice, Family


@dataclass(frozen=True)
class ReluKan(Family):
    """``[relu(u - l_j) relu(h_j - u) 4G² / (k + 1)²]²`` with ``u = (x + 1) / 2``, ends ``l`` and ``h`` trained.

    ``grid`` is G and ``order`` is k: supports are ``(k + 1) / G`` wide and start at ``j / G`` for j from -k to G - 1.
    In [1] inputs are in [0, 1]; ours are in [-1, 1], as for every bounded family.

    >>> ReluKan(grid=5, order=3).size
    8
    """

    name: ClassVar[str] = "relu_kan"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"grid": (3, 5, 10, 20), "order": (1, 2, 3)}
    is_bounded: ClassVar[bool] = True
    before: ClassVar[Before] = "tanh"

    grid: int = 5
    order: int = 3

    @property
    def size(self) -> int:
        return self.grid + self.order

    def basis(self, inputs: int) -> Basis:
        return ReluKanBasis(inputs, self.grid, self.order)

    def flops(self) -> int:
        return 2 + 7 * self.size

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        return 2 * inputs * self.size


class ReluKanBasis(Basis):
    """Bumps, each with a low and a high end for each input."""

    per_input: ClassVar[Mapping[str, int]] = {"low": -1, "high": -1}

    def __init__(self, inputs: int, grid: int, order: int) -> None:
        super().__init__(inputs, grid + order)
        starts = torch.arange(-order, grid, dtype=torch.get_default_dtype()) / grid
        self.low = nn.Parameter(starts.unsqueeze(-1).repeat(1, inputs))
        self.high = nn.Parameter((starts + (order + 1) / grid).unsqueeze(-1).repeat(1, inputs))
        self.gain = 4.0 * grid**2 / (order + 1) ** 2

    def plain(self, x: Tensor) -> Tensor:
        u = ((x + 1.0) / 2.0).unsqueeze(-2)
        return (torch.relu(u - self.low) * torch.relu(self.high - u) * self.gain).square()
