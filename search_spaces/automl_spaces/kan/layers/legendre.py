"""Legendre polynomials [1].

[1] Drokin. Kolmogorov-Arnold convolutions: design principles and empirical studies. arXiv 2407.01092.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from automl_spaces.kan.layers._expansion import expand
from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers._three_term import jacobi
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Legendre(PolynomialFamily):
    """``P_0`` to ``P_degree`` on [-1, 1].

    The code of [1] scales each batch to its own extremes, which differ between training and test; here inputs are
    brought to [-1, 1] by `tanh`, unless the layer says otherwise.

    >>> Legendre(degree=3).size
    4
    """

    name: ClassVar[str] = "legendre"

    def basis(self, inputs: int) -> Basis:
        return LegendreBasis(inputs, self.degree)

    def flops(self) -> int:
        return 4 * max(0, self.degree - 1)


class LegendreBasis(Basis):
    """``P_d(x)``."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__(inputs, degree + 1)
        self.kernel = jacobi(0.0, 0.0, degree)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)
