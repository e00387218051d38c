"""Fourier series [1].

[1] Xu et al. FourierKAN-GCF: Fourier Kolmogorov-Arnold network for graph collaborative filtering. arXiv 2406.01034.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from automl_spaces.kan.layers._expansion import Kernel, expand
from automl_spaces.kan.layers.basis import Basis, Choice, Family


@dataclass(frozen=True)
class Fourier(Family):
    """``cos(kx)`` and ``sin(kx)`` for ``k`` from 1 to ``frequencies``; constants are left to the bias.

    With ``smooth``, initial coefficients fall as ``1 / k^2``, which starts from smooth functions.

    >>> Fourier(frequencies=5).size
    10
    """

    name: ClassVar[str] = "fourier"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"frequencies": (2, 3, 4, 5, 6, 7, 8)}

    frequencies: int = 4
    smooth: bool = False

    @property
    def size(self) -> int:
        return 2 * self.frequencies

    def basis(self, inputs: int) -> Basis:
        return FourierBasis(inputs, self.frequencies)

    def flops(self) -> int:
        return 20 + 6 * (self.frequencies - 1)

    def profile(self) -> Tensor:
        each = torch.arange(1, self.frequencies + 1).repeat(2)
        return 1.0 / each**2 if self.smooth else torch.ones(self.size)


class FourierBasis(Basis):
    """Cosines, then sines."""

    def __init__(self, inputs: int, frequencies: int) -> None:
        super().__init__(inputs, 2 * frequencies)
        self.kernel = Harmonics(frequencies)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)


@dataclass(frozen=True)
class Harmonics(Kernel):
    """Cosines and sines of multiples of an angle, by angle addition.

    Each comes of two of half its number, so that errors do not pile up as in a recurrence.
    """

    needs_values: ClassVar[bool] = True

    frequencies: int

    @property
    def size(self) -> int:  # type: ignore[override]
        """Cosines and sines."""
        return 2 * self.frequencies

    def plain(self, x: Tensor) -> Tensor:
        angles = x.unsqueeze(-2) * self._multiples(x)
        return torch.cat([angles.cos(), angles.sin()], -2)

    def fill(self, out: Tensor, x: Tensor) -> None:
        n, steps = self.frequencies, out.unbind(1)
        steps[0].copy_(x.cos())
        steps[n].copy_(x.sin())
        for k in range(1, n):
            half = (k - 1) // 2  # harmonic k + 1 from two of about half its number
            a, b = half, k - half - 1
            torch.mul(steps[a], steps[b], out=steps[k])
            steps[k].addcmul_(steps[n + a], steps[n + b], value=-1.0)
            torch.mul(steps[n + a], steps[b], out=steps[n + k])
            steps[n + k].addcmul_(steps[a], steps[n + b])

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        assert values is not None
        n = self.frequencies
        slopes = gradient[:, n:] * values[:, :n]
        slopes.addcmul_(gradient[:, :n], values[:, n:], value=-1.0)
        slopes.mul_(self._multiples(x))
        torch.sum(slopes, -2, out=out)

    def _multiples(self, x: Tensor) -> Tensor:
        return torch.arange(1, self.frequencies + 1, device=x.device, dtype=x.dtype).unsqueeze(-1)
