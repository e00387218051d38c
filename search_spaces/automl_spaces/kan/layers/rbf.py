"""Gaussian radial basis functions on a uniform grid [1].

[1] Li. Kolmogorov-Arnold networks are radial basis function networks. arXiv 2405.06721.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from automl_spaces.kan.layers._expansion import Kernel, expand
from automl_spaces.kan.layers.basis import Basis, Before, Choice, Family


@dataclass(frozen=True)
class Rbf(Family):
    """``exp(-((x - c_j) / h)^2)`` with ``centres`` centres from ``low`` to ``high`` and ``h`` their distance.

    >>> Rbf().size
    8
    """

    name: ClassVar[str] = "rbf"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"centres": (3, 5, 8, 10, 20)}
    before: ClassVar[Before] = "layer_norm"

    centres: int = 8
    low: float = -2.0
    high: float = 2.0

    @property
    def size(self) -> int:
        return self.centres

    def basis(self, inputs: int) -> Basis:
        return RbfBasis(inputs, self)

    def flops(self) -> int:
        return 13 * self.centres


class RbfBasis(Basis):
    """Gaussians."""

    def __init__(self, inputs: int, family: Rbf) -> None:
        super().__init__(inputs, family.centres)
        width = (family.high - family.low) / max(1, family.centres - 1)
        self.kernel = Gaussians(family.centres, family.low, width)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)


@dataclass(frozen=True)
class Gaussians(Kernel):
    """``size`` Gaussians of ``width``, from ``low`` on, one width apart."""

    needs_values: ClassVar[bool] = True

    size: int
    low: float
    width: float

    def plain(self, x: Tensor) -> Tensor:
        return torch.exp(-((x.unsqueeze(-2) - self._centres(x)) / self.width).square())

    def fill(self, out: Tensor, x: Tensor) -> None:
        torch.sub(x.unsqueeze(-2), self._centres(x), out=out)
        out.mul_(out).mul_(-1.0 / self.width**2).exp_()

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        assert values is not None
        slopes = x.unsqueeze(-2) - self._centres(x)
        slopes.mul_(values).mul_(gradient)
        torch.sum(slopes, -2, out=out)
        out.mul_(-2.0 / self.width**2)

    def _centres(self, x: Tensor) -> Tensor:
        steps = torch.arange(self.size, device=x.device, dtype=x.dtype)
        return (self.low + self.width * steps).unsqueeze(-1)
