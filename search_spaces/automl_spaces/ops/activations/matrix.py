"""Trainable matrix activations: z = D(u)·u with a diagonal, or T(u)·u with a tridiagonal, matrix that depends on u [1].

The diagonal of D is α_i(u_i), piecewise constant: t_{i,0} up to the first of the knots -1, 0, 1, then t_{i,1}, t_{i,2}
and t_{i,3}; intervals are closed on the right. T has β_i(u_{i+1}) above and γ_i(u_i) below it: neighbours mix,

    z_i = γ_{i-1}(u_{i-1})·u_{i-1} + α_i(u_i)·u_i + β_i(u_{i+1})·u_{i+1}

Both start as ReLU: t = (0, 0, 1, 1), β = γ = 0. We have read the paper's abstract only: the knots, their number, and
that they are not trained (their gradient is 0 nearly everywhere), are ours.

[1] Liu, Cao, Li and Zikatanov. Neural networks with trainable matrix activation functions. 2021. (arXiv:2109.09948)
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

from automl_spaces.ops.activations.curve import Curve, is_positive
from automl_spaces.ops.activations.entries import Family, learned

KNOTS = (-1.0, 0.0, 1.0)

_family = Family("matrix")
_REFERENCE = "Liu et al. 2021 arXiv:2109.09948"
_RELU = (0.0, 0.0, 1.0, 1.0)

Values = float | Tensor


def _scaled(x: Tensor, *values: Values) -> Tensor:
    """Return α(x)·x: the first value, and the step to the next one at each knot."""
    scale: Values = values[0]
    for knot, low, high in zip(KNOTS, values, values[1:], strict=False):
        scale = is_positive(x - knot) * (high - low) + scale
    return x * scale


def _slopes(x: Tensor, *values: Values) -> tuple[Tensor, ...]:
    steps = [is_positive(x - knot) for knot in KNOTS]
    masks = [1 - steps[0], *[one - other for one, other in itertools.pairwise(steps)], steps[-1]]
    scale = masks[0] * values[0]
    for mask, value in zip(masks[1:], values[1:], strict=True):
        scale = scale + mask * value
    return scale, *[x * mask for mask in masks]


class Tridiagonal(nn.Module):
    """T(u)·u along axis 1: as many channels out as in.

    Attributes:
        diagonal: t of α, ``(4, channels)``.
        above: t of β, ``(4, channels - 1)``.
        below: t of γ, ``(4, channels - 1)``.
    """

    def __init__(self, channels: int | None) -> None:
        super().__init__()
        size, between = channels or 1, max((channels or 2) - 1, 1)
        self.diagonal = nn.Parameter(torch.tensor(_RELU).repeat(size, 1).T.contiguous())
        self.above = nn.Parameter(torch.zeros(4, between))
        self.below = nn.Parameter(torch.zeros(4, between))
        self._curve = Curve("tmaf", _scaled, _slopes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the product."""
        result = self._apply_row(x, self.diagonal)
        if x.shape[1] < 2:
            return result
        lifted = self._apply_row(x[:, 1:], self.above)
        lowered = self._apply_row(x[:, :-1], self.below)
        padding = torch.zeros_like(x[:, :1])
        return result + torch.cat((lifted, padding), 1) + torch.cat((padding, lowered), 1)

    def _apply_row(self, x: Tensor, values: Tensor) -> Tensor:
        shape = () if values.shape[1] == 1 else (-1, *(1,) * (x.dim() - 2))
        return self._curve(x, *[value.to(x.dtype).reshape(shape) for value in values])


_family.curve(
    "tmaf",
    "α(x)·x, α constant between the knots -1, 0, 1",
    _REFERENCE,
    "monotone below zero",
    _scaled,
    _slopes,
    smooth=0,
    parameters=tuple(learned(f"t{place}", value) for place, value in enumerate(_RELU)),
)
_family.module(
    "tmaf_tridiagonal",
    "T(u)·u, T tridiagonal, constant between knots",
    _REFERENCE,
    "monotone below zero",
    lambda channels, values: Tridiagonal(channels),
    smooth=0,
)

ENTRIES = _family.entries
