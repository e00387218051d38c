"""Bernstein polynomials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from automl_spaces.kan.layers._expansion import Kernel, expand
from automl_spaces.kan.layers._polynomials import PolynomialFamily
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True)
class Bernstein(PolynomialFamily):
    """``C(D, d) u^d (1 - u)^(D - d)`` with ``u = (x + 1) / 2`` and ``D = degree``, on [-1, 1].

    They are not negative and sum to 1. The reference initialisation is not known: unit variance, as everywhere here.

    >>> Bernstein(degree=3).size
    4
    """

    name: ClassVar[str] = "bernstein"

    def basis(self, inputs: int) -> Basis:
        return BernsteinBasis(inputs, self.degree)

    def flops(self) -> int:
        return 3 + 4 * self.degree


class BernsteinBasis(Basis):
    """Bernstein polynomials of one degree."""

    def __init__(self, inputs: int, degree: int) -> None:
        super().__init__(inputs, degree + 1)
        self.kernel = Binomials(degree)

    def plain(self, x: Tensor) -> Tensor:
        return self.kernel.plain(x)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self.kernel, x)


@dataclass(frozen=True)
class Binomials(Kernel):
    """Bernstein polynomials of ``degree``; the slope is ``degree / 2`` times a difference of those one degree lower."""

    degree: int

    @property
    def size(self) -> int:  # type: ignore[override]
        """Functions per input."""
        return self.degree + 1

    def plain(self, x: Tensor) -> Tensor:
        u, v = (1.0 + x) / 2.0, (1.0 - x) / 2.0
        values = [math.comb(self.degree, d) * u**d * v ** (self.degree - d) for d in range(self.size)]
        return torch.stack(values, -2)

    def fill(self, out: Tensor, x: Tensor) -> None:
        out.copy_(self._table(x, self.degree).transpose(0, 1))

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        if self.degree == 0:
            out.zero_()
            return
        slopes = (gradient[:, 1:] - gradient[:, :-1]).mul_(self._table(x, self.degree - 1).transpose(0, 1))
        torch.sum(slopes, -2, out=out)
        out.mul_(self.degree / 2)

    @staticmethod
    def _table(x: Tensor, degree: int) -> Tensor:
        """Return the polynomials of ``degree``, `(degree + 1, rows, inputs)`: rising powers, then falling ones."""
        u, v = (x + 1.0).mul_(0.5), (1.0 - x).mul_(0.5)
        table = x.new_empty(degree + 1, *x.shape)
        table[0].fill_(1.0)
        for d in range(1, degree + 1):
            torch.mul(table[d - 1], u, out=table[d])
            table[d].mul_((degree - d + 1) / d)  # the quotient of neighbouring binomial coefficients
        power = v.clone()
        for d in range(degree - 1, -1, -1):
            table[d].mul_(power)
            if d:
                power.mul_(v)
        return table
