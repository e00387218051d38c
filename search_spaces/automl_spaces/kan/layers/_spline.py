"""B-splines: the closed form on uniform grids, and the recurrence of Cox and de Boor on any grid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from automl import ConfigurationError
from automl_spaces.kan.layers._expansion import Kernel, expand
from automl_spaces.kan.layers.basis import Basis


@dataclass(frozen=True, eq=False)
class UniformSpline(Kernel):
    """B-splines of ``order`` 1, 2 or 3 on knots that are equally far apart.

    With ``u`` the distance from a spline's middle in steps of the grid, and ``r = (order + 1) / 2``, it is
    ``[(r - |u|)₊^k - (k + 1) (r - 1 - |u|)₊^k] / k!``: a difference of one-sided powers by symmetry, two of them
    instead of ``k + 2``, which is why it keeps its precision in float32.

    Attributes:
        size: splines per input.
        order: degree of the pieces.
        first: first knot of each input, `(inputs,)`.
        step: distance of its knots, `(inputs,)`.
    """

    size: int
    order: int
    first: Tensor
    step: Tensor

    def plain(self, x: Tensor) -> Tensor:
        k = self.order
        away = (((x - self.first) / self.step).unsqueeze(-2) - self._middles(self.size, x)).abs()
        outer, inner = (self._radius - away).relu(), (self._radius - 1 - away).relu()
        return (outer**k - (k + 1) * inner**k) / math.factorial(k)

    def fill(self, out: Tensor, x: Tensor) -> None:
        k = self.order
        gain = math.factorial(k) ** (-1.0 / k)  # distances in such steps spare the division by k!
        at = (x - self.first).mul_(gain / self.step)
        torch.sub(at.unsqueeze(-2), gain * self._middles(self.size, x), out=out)
        outer = torch.rsub(out.abs_(), gain * self._radius).relu_()
        inner = torch.sub(outer, gain, out=out).relu_()
        if k > 1:
            outer.pow_(k)
            inner.pow_(k)
        torch.sub(outer, inner, alpha=k + 1.0, out=out)

    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        k = self.order
        at = (x - self.first).div_(self.step)
        signed = at.unsqueeze(-2) - self._middles(self.size, x)
        slopes = torch.rsub(signed.abs(), self._radius).relu_()
        if k == 1:
            slopes.sign_()
        else:
            inner = (slopes - 1.0).relu_()
            if k == 2:
                slopes.sub_(inner, alpha=3.0)
            else:
                slopes.mul_(slopes).addcmul_(inner, inner, value=-4.0)
        slopes.mul_(signed.sign_()).mul_(gradient)
        torch.sum(slopes, -2, out=out)
        out.mul_((-1.0 / math.factorial(k - 1)) / self.step)

    @property
    def _radius(self) -> float:
        return (self.order + 1) / 2

    def _middles(self, size: int, x: Tensor) -> Tensor:
        steps = torch.arange(size, device=x.device, dtype=x.dtype)
        return (steps + self._radius).unsqueeze(-1)


def cox_de_boor(x: Tensor, knots: Tensor, order: int) -> Tensor:
    """Return B-splines on any knots by their recurrence, `(..., size, inputs)`.

    Args:
        x: `(..., inputs)`.
        knots: ascending for each input, `(inputs, size + order + 1)`; spans are half-open, which the knots beyond the
            domain make harmless at its right end.
        order: degree of the pieces, at least 1.
    """
    at, knots = x.unsqueeze(-2), knots.t().to(x.dtype)
    values = ((at >= knots[:-1]) & (at < knots[1:])).to(x.dtype)
    for k in range(1, order + 1):
        left = (at - knots[: -(k + 1)]) / (knots[k:-1] - knots[: -(k + 1)])
        right = (knots[k + 1 :] - at) / (knots[k + 1 :] - knots[1:-k])
        values = left * values[..., :-1, :] + right * values[..., 1:, :]
    return values


class SplineBasis(Basis):
    """B-splines on a grid of each input's own.

    Inside the grid they are a partition of unity; beyond ``order`` steps outside it they are 0. A uniform grid, which
    all start with, takes the closed form; an uneven one, after `set_knots`, the recurrence, which costs several times
    as much.

    Attributes:
        grid: intervals.
        order: degree of the pieces.
        knots: `(inputs, grid + 2 order + 1)`.
    """

    per_input: ClassVar[Mapping[str, int]] = {"knots": 0}

    knots: Tensor

    def __init__(self, inputs: int, grid: int, order: int, low: float, high: float) -> None:
        if grid < 1 or order not in (1, 2, 3) or low >= high:
            raise ConfigurationError(
                f"a spline needs a grid of 1 or more intervals, order 1, 2 or 3, and low < high, "
                f"but got grid {grid}, order {order}, from {low} to {high}"
            )
        super().__init__(inputs, grid + order)
        self.grid, self.order, self.is_uniform = grid, order, True
        self.register_buffer("knots", uniform_knots(grid, order, low, high).repeat(inputs, 1))

    def plain(self, x: Tensor) -> Tensor:
        return self._kernel(x).plain(x) if self.is_uniform else cox_de_boor(x, self.knots, self.order)

    def expand(self, x: Tensor) -> Tensor:
        return expand(self._kernel(x), x) if self.is_uniform else cox_de_boor(x, self.knots, self.order)

    def set_knots(self, knots: Tensor, *, is_uniform: bool) -> None:
        """Put the splines on other knots, as many as grid and order demand or another number of intervals."""
        self.knots = knots.to(self.knots)
        self.grid = knots.shape[1] - 1 - 2 * self.order
        self.size = self.grid + self.order
        self.is_uniform = is_uniform

    def get_extra_state(self) -> Tensor:
        """Keep whether the grid is uniform with the state; as a tensor, like everything else in there."""
        return torch.tensor(self.is_uniform)

    def set_extra_state(self, state: Any) -> None:
        """Take it back."""
        self.is_uniform = bool(state)

    def extra_repr(self) -> str:
        return f"{self.inputs}, grid={self.grid}, order={self.order}"

    def _kernel(self, x: Tensor) -> UniformSpline:
        knots = self.knots.to(x.dtype)
        first = knots[:, 0]
        return UniformSpline(self.size, self.order, first, (knots[:, -1] - first) / (knots.shape[1] - 1))


def uniform_knots(grid: int, order: int, low: float, high: float) -> Tensor:
    """Return equally spaced knots, ``order`` of them beyond each end, `(grid + 2 order + 1,)`."""
    return low + (high - low) / grid * torch.arange(-order, grid + order + 1, dtype=torch.get_default_dtype())
