"""Chebyshev polynomials of the first kind [1].

[1] Sidharth and Gokul. Chebyshev polynomial-based Kolmogorov-Arnold networks. arXiv 2405.07200.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from automl_spaces.kan.layers._expansion import expand
from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers._three_term import Terms, ThreeTerm
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Chebyshev(PolynomialFamily):
    """``T_0`` to ``T_degree`` on [-1, 1].

    By recurrence, and not by arc cosines as the code of [1], whose slope is infinite at ±1.

    >>> Chebyshev(degree=4).size
    5
    """

    name: ClassVar[str] = "chebyshev"

    def basis(self, inputs: int) -> Basis:
        return ChebyshevBasis(inputs, self.degree)

    def flops(self) -> int:
        return 3 * max(0, self.degree - 1)


class ChebyshevBasis(Basis):
    """``T_d(x)``."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__(inputs, degree + 1)
        steps = max(degree, 1)
        one, two = (1.0,) * steps, (2.0,) * steps
        first = Terms((1.0, *two[1:]), (0.0,) * steps, one)
        second = Terms(two, (0.0,) * steps, one)
        self.kernel = ThreeTerm(degree + 1, first, tuple(float(d) for d in range(1, degree + 1)), second)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)
