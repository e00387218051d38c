"""Reflectional switch activation functions [1].

[1] Athanasios Delis. FasterKAN. Public code, 2024.
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
class Rswaf(Family):
    """``sech^2(x - c_j)`` with ``centres`` centres from ``low`` to ``high``.

    Deviation: the width, which in [1] acts in the backward pass alone, is 1 here, and the gradients are those of the
    function.

    >>> Rswaf().size
    8
    """

    name: ClassVar[str] = "rswaf"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"centres": (3, 5, 8, 10, 20)}
    before: ClassVar[Before] = "layer_norm"

    centres: int = 8
    low: float = -1.2
    high: float = 0.2

    @property
    def size(self) -> int:
        return self.centres

    def basis(self, inputs: int) -> Basis:
        return RswafBasis(inputs, self)

    def flops(self) -> int:
        return 13 * self.centres


class RswafBasis(Basis):
    """Squared hyperbolic secants."""

    def __init__(self, inputs: int, family: Rswaf) -> None:
        super().__init__(inputs, family.centres)
        self.kernel = Secants(family.centres, family.low, (family.high - family.low) / max(1, family.centres - 1))

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)


@dataclass(frozen=True)
class Secants(Kernel):
    """``1 - tanh^2`` at ``size`` places, ``step`` apart from ``low`` on."""

    needs_values: ClassVar[bool] = True

    size: int
    low: float
    step: float

    def plain(self, x: Tensor) -> Tensor:
        return 1.0 - torch.tanh(x.unsqueeze(-2) - self._centres(x)).square()

    def fill(self, out: Tensor, x: Tensor) -> None:
        torch.sub(x.unsqueeze(-2), self._centres(x), out=out)
        out.tanh_().square_().neg_().add_(1.0)

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        assert values is not None
        slopes = (x.unsqueeze(-2) - self._centres(x)).tanh_()
        slopes.mul_(values).mul_(gradient)
        torch.sum(slopes, -2, out=out)
        out.mul_(-2.0)

    def _centres(self, x: Tensor) -> Tensor:
        steps = torch.arange(self.size, device=x.device, dtype=x.dtype)
        return (self.low + self.step * steps).unsqueeze(-1)
