"""Sines of trained frequencies and phases [1].

[1] Reinhardt et al. SineKAN: Kolmogorov-Arnold networks using sinusoidal activation functions. arXiv 2407.04149.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers.basis import Basis, Choice, Family


@dataclass(frozen=True)
class Sine(Family):
    """``sin(ω_k x + φ_k)`` for ``frequencies`` pairs, trained and shared by all edges.

    Our choice, since the reference is not known to us in detail: ``ω_k`` starts at ``k``, and phases are spread evenly
    over half a turn, so that even functions are in reach from the start.

    >>> Sine(frequencies=5).size
    5
    """

    name: ClassVar[str] = "sine"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"frequencies": (2, 3, 4, 5, 6, 7, 8)}

    frequencies: int = 4

    @property
    def size(self) -> int:
        return self.frequencies

    def basis(self, inputs: int) -> Basis:
        return SineBasis(inputs, self.frequencies)

    def flops(self) -> int:
        return 12 * self.frequencies

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        return 2 * self.frequencies


class SineBasis(Basis):
    """Sines."""

    def __init__(self, inputs: int, frequencies: int) -> None:
        super().__init__(inputs, frequencies)
        steps = torch.arange(frequencies, dtype=torch.get_default_dtype())
        self.frequency = nn.Parameter(steps + 1.0)
        self.phase = nn.Parameter(math.pi * steps / frequencies)

    def plain(self, x: Tensor) -> Tensor:
        return torch.sin(x.unsqueeze(-2) * self.frequency.unsqueeze(-1) + self.phase.unsqueeze(-1))
