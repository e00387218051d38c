"""Gram polynomials with trainable recurrences [1].

[1] Drokin. Kolmogorov-Arnold convolutions: design principles and empirical studies. arXiv 2407.01092.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Gram(PolynomialFamily):
    """``p_{d+1} = x p_d - β_d p_{d-1}``, degree 0 to ``degree``, with ``β`` trained and shared by all edges.

    ``β`` starts at 0, where the polynomials are powers; in [1] it is drawn, so small that it makes no difference. The
    first two of its ``degree + 1`` entries are not used, as in [1].

    >>> Gram(degree=3).size
    4
    """

    name: ClassVar[str] = "gram"

    def basis(self, inputs: int) -> Basis:
        return GramBasis(inputs, self.degree)

    def flops(self) -> int:
        return 3 * max(0, self.degree - 1)

    def shared_parameters(self, inputs: int, outputs: int) -> int:
        return self.degree + 1


class GramBasis(Basis):
    """Polynomials by a trained recurrence."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__(inputs, degree + 1)
        self.beta = nn.Parameter(torch.zeros(degree + 1))

    def plain(self, x: Tensor) -> Tensor:
        values = [torch.ones_like(x), x][: self.size]
        for d in range(1, self.size - 1):
            values.append(x * values[d] - self.beta[d + 1] * values[d - 1])
        return torch.stack(values, -2)
