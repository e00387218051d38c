"""Piecewise linear functions: hats on equally spaced knots, which are B-splines of degree 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from automl_spaces.kan.layers._spline import SplineBasis
from automl_spaces.kan.layers.basis import Basis, Choice, Family


@dataclass(frozen=True)
class PiecewiseLinear(Family):
    """Hat functions on the ``grid + 1`` knots of [``low``, ``high``].

    They fall to 0 within one step outside, as every spline here.

    >>> PiecewiseLinear(grid=5).size
    6
    """

    name: ClassVar[str] = "piecewise_linear"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"grid": (3, 5, 10, 20)}
    has_constant: ClassVar[bool] = True

    grid: int = 5
    low: float = -1.0
    high: float = 1.0

    @property
    def size(self) -> int:
        return self.grid + 1

    def basis(self, inputs: int) -> Basis:
        return SplineBasis(inputs, self.grid, 1, self.low, self.high)

    def flops(self) -> int:
        return 2 + 4 * self.size
