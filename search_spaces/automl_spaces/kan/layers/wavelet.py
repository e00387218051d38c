"""Wavelets with trained places and scales [1].

[1] Bozorgasl and Chen. Wav-KAN: Wavelet Kolmogorov-Arnold networks. arXiv 2405.12832.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers.basis import Basis, Choice, Family

Wave: TypeAlias = Literal["mexican_hat", "morlet", "dog", "meyer", "shannon"]


@dataclass(frozen=True)
class Wavelet(Family):
    """``ψ((x - t) / s)`` with ``t`` and ``s`` trained.

    In [1] each edge has its own ``t`` and ``s``, which rules out one matrix product, and costs memory of examples x
    inputs x outputs. By default, ``per_edge`` false, each input has ``count`` wavelets, shared by the outputs; that is
    our variant. Places start evenly over [-2, 2], scales at their distance (1 where there is one).

    >>> Wavelet(count=4).size
    4
    """

    name: ClassVar[str] = "wavelet"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {
        "wave": ("mexican_hat", "morlet", "dog", "meyer", "shannon"),
        "count": (2, 4, 6, 8),
    }

    wave: Wave = "mexican_hat"
    count: int = 4
    per_edge: bool = False

    @property
    def size(self) -> int:
        return 1 if self.per_edge else self.count

    def basis(self, inputs: int) -> Basis:
        return WaveletBasis(inputs, self, self.size)

    @property
    def is_per_edge(self) -> bool:
        return self.per_edge

    def edge_basis(self, inputs: int, outputs: int) -> Basis:
        return WaveletBasis(inputs, self, outputs)

    def flops(self) -> int:
        return 25 * self.size

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        return 2 * inputs * (outputs if self.per_edge else self.size)


class WaveletBasis(Basis):
    """Wavelets, ``size`` of them for each input: one for each output where each edge has its own."""

    per_input: ClassVar[Mapping[str, int]] = {"place": -1, "scale": -1}

    def __init__(self, inputs: int, family: Wavelet, size: int) -> None:
        super().__init__(inputs, size)
        self.wave = WAVES[family.wave]
        places, scale = torch.zeros(self.size), 1.0
        if not family.per_edge and family.count > 1:
            places, scale = torch.linspace(-2.0, 2.0, family.count), 4.0 / (family.count - 1)
        self.place = nn.Parameter(places.unsqueeze(-1).repeat(1, inputs))
        self.scale = nn.Parameter(torch.full((self.size, inputs), scale))

    def plain(self, x: Tensor) -> Tensor:
        values: Tensor = self.wave((x.unsqueeze(-2) - self.place) / self.scale)
        return values


def mexican_hat(u: Tensor) -> Tensor:
    """Return ``2 / (√3 π^¼) (u² - 1) exp(-u²/2)``, with the sign of the code of [1]."""
    square = u.square()
    gain: float = 2.0 / (math.sqrt(3.0) * math.pi**0.25)
    return gain * (square - 1.0) * torch.exp(-0.5 * square)


def morlet(u: Tensor) -> Tensor:
    """Return ``cos(5u) exp(-u²/2)``."""
    return torch.cos(5.0 * u) * torch.exp(-0.5 * u.square())


def derivative_of_gaussian(u: Tensor) -> Tensor:
    """Return ``-u exp(-u²/2)``."""
    return -u * torch.exp(-0.5 * u.square())


def meyer(u: Tensor) -> Tensor:
    """Return ``sin(π|u|) w(|u|)``: w is 1 up to 1/2, 0 from 1, and Meyer's smooth step between, as in [1]."""
    away = u.abs()
    t = (2.0 * away - 1.0).clamp(0.0, 1.0)
    step = t**4 * (35.0 - 84.0 * t + 70.0 * t**2 - 20.0 * t**3)
    return torch.sin(math.pi * away) * torch.cos(0.5 * math.pi * step)


def shannon(u: Tensor) -> Tensor:
    """Return the real Shannon wavelet, ``sinc(u/2) cos(3πu/2)``; without the window of the code of [1]."""
    return torch.sinc(0.5 * u) * torch.cos(1.5 * math.pi * u)


WAVES: Mapping[Wave, Callable[[Tensor], Tensor]] = {
    "mexican_hat": mexican_hat,
    "morlet": morlet,
    "dog": derivative_of_gaussian,
    "meyer": meyer,
    "shannon": shannon,
}
