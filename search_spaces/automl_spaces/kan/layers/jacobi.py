"""Jacobi polynomials.

Aghaei. fKAN: fractional Kolmogorov-Arnold networks with trainable Jacobi basis functions. arXiv 2406.07456. The
parameters are settings here, as in the public codes, and not trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from automl import ConfigurationError
from automl_spaces.kan.layers._expansion import expand
from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers._three_term import jacobi
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Jacobi(PolynomialFamily):
    """Jacobi polynomials of ``alpha`` and ``beta``, both above -1, degree 0 to ``degree``, on [-1, 1].

    Jacobi(0, 0) are the Legendre polynomials, Jacobi(-1/2, -1/2) multiples of Chebyshev's.

    >>> Jacobi(degree=3).size
    4
    """

    name: ClassVar[str] = "jacobi"

    alpha: float = 1.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if min(self.alpha, self.beta) <= -1:
            raise ConfigurationError(f"Jacobi needs `alpha` and `beta` above -1, but got {self.alpha} and {self.beta}")

    def basis(self, inputs: int) -> Basis:
        return JacobiBasis(inputs, self.degree, self.alpha, self.beta)

    def flops(self) -> int:
        return 2 + 5 * max(0, self.degree - 1)


class JacobiBasis(Basis):
    """``P_d^(alpha, beta)(x)``."""

    def __init__(self, inputs: int, degree: int, alpha: float, beta: float) -> None:
        super().__init__(inputs, degree + 1)
        self.kernel = jacobi(alpha, beta, degree)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)
