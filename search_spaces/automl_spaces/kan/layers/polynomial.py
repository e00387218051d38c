"""Powers: for tests, since they are badly conditioned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Polynomial(PolynomialFamily):
    """``1, x, ..., x^degree`` on [-1, 1].

    >>> Polynomial(degree=3).size
    4
    """

    name: ClassVar[str] = "polynomial"

    def basis(self, inputs: int) -> Basis:
        return PolynomialBasis(inputs, self.degree)

    def flops(self) -> int:
        return max(0, self.degree - 1)


class PolynomialBasis(Basis):
    """Powers."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__(inputs, degree + 1)

    def plain(self, x: Tensor) -> Tensor:
        values = [torch.ones_like(x)]
        for _ in range(self.size - 1):
            values.append(values[-1] * x)
        return torch.stack(values, -2)
