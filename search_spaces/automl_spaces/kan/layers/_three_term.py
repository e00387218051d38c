"""Polynomials by a recurrence of three terms, and their derivatives by Clenshaw's rule.

``p_0 = 1``, ``p_1 = a_0 x + b_0``, ``p_{d+1} = (a_d x + b_d) p_d - c_d p_{d-1}``. The derivatives of the classical
families are multiples of another such family, ``p_d' = k_d q_{d-1}``, so that the backward pass, ``Σ_d g_d k_d
q_{d-1}``, is one sum by Clenshaw's rule: no table of derivatives, no value of the forward pass. Recurrences stay finite
at ±1, where the form by arc cosines has an infinite slope.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from automl_spaces.kan.layers._expansion import Kernel


@dataclass(frozen=True)
class Terms:
    """Coefficients ``a_d``, ``b_d`` and ``c_d`` of a recurrence; ``c_0`` is not used."""

    a: tuple[float, ...]
    b: tuple[float, ...]
    c: tuple[float, ...]


@dataclass(frozen=True)
class ThreeTerm(Kernel):
    """Polynomials of degree 0 to ``size - 1``.

    Attributes:
        size: number of polynomials.
        terms: of the polynomials, for at least ``size - 1`` steps.
        factors: ``k_d`` for ``d = 1, 2, ...``.
        derived: terms of the family ``q`` of the derivatives.
    """

    size: int
    terms: Terms
    factors: tuple[float, ...]
    derived: Terms

    def plain(self, x: Tensor) -> Tensor:
        terms, values = self.terms, [torch.ones_like(x)]
        if self.size > 1:
            values.append(terms.a[0] * x + terms.b[0])
        for d in range(1, self.size - 1):
            values.append((terms.a[d] * x + terms.b[d]) * values[d] - terms.c[d] * values[d - 1])
        return torch.stack(values, -2)

    def fill(self, out: Tensor, x: Tensor) -> None:
        terms, steps = self.terms, out.unbind(1)
        steps[0].fill_(1.0)
        if self.size > 1:
            torch.mul(x, terms.a[0], out=steps[1])
            if terms.b[0]:
                steps[1].add_(terms.b[0])
        for d in range(1, self.size - 1):
            torch.mul(steps[d - 1], -terms.c[d], out=steps[d + 1])
            steps[d + 1].addcmul_(x, steps[d], value=terms.a[d])
            if terms.b[d]:
                steps[d + 1].add_(steps[d], alpha=terms.b[d])

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        terms, last, gradients = self.derived, self.size - 2, gradient.unbind(1)
        if last < 0:
            out.zero_()
            return
        sums = gradients[last + 1] * self.factors[last]  # of the polynomials from here on
        before = torch.zeros_like(sums)  # the sum one degree higher
        for d in range(last - 1, -1, -1):
            before.mul_(-terms.c[d + 1]).addcmul_(x, sums, value=terms.a[d])
            before.add_(gradients[d + 1], alpha=self.factors[d])
            if terms.b[d]:
                before.add_(sums, alpha=terms.b[d])
            sums, before = before, sums
        out.copy_(sums)


def jacobi_terms(alpha: float, beta: float, steps: int) -> Terms:
    """Return the terms of the Jacobi polynomials, Eq. 18.9.1 and 18.9.2 of the NIST handbook; needs both above -1.

    The first is written out, since the general form is 0/0 where ``alpha + beta`` is 0 or -1.
    """
    a, b, c = [(alpha + beta + 2) / 2], [(alpha - beta) / 2], [0.0]
    for d in range(1, steps):
        s = 2 * d + alpha + beta
        lead = 2 * (d + 1) * (d + alpha + beta + 1) * s
        a.append((s + 1) * s * (s + 2) / lead)
        b.append((s + 1) * (alpha**2 - beta**2) / lead)
        c.append(2 * (d + alpha) * (d + beta) * (s + 2) / lead)
    return Terms(tuple(a), tuple(b), tuple(c))


def jacobi(alpha: float, beta: float, degree: int) -> ThreeTerm:
    """Return the Jacobi polynomials up to ``degree``; those of the derivatives are Jacobi(alpha + 1, beta + 1)."""
    factors = tuple((d + alpha + beta + 1) / 2 for d in range(1, degree + 1))
    steps = max(degree, 1)
    return ThreeTerm(degree + 1, jacobi_terms(alpha, beta, steps), factors, jacobi_terms(alpha + 1, beta + 1, steps))
