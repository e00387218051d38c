"""Powers: for tests, since they are badly conditioned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from automl_spaces.kan.layers.basis import Basis, Before, Choice, Family


@dataclass(frozen=True)
class Polynomial(Family):
    """``1, x, ..., x^degree`` on [-1, 1].

    >>> Polynomial(degree=3).size
    4
    """

    name: ClassVar[str] = "polynomial"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"degree": (2, 3, 4, 5, 6, 7, 8)}
    is_bounded: ClassVar[bool] = True
    has_constant: ClassVar[bool] = True
    before: ClassVar[Before] = "tanh"

    degree: int = 4

    @property
    def size(self) -> int:
        return self.degree + 1

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
