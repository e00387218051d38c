"""B-splines on a grid [1].

[1] Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from automl_spaces.kan.layers._spline import SplineBasis
from automl_spaces.kan.layers.basis import Basis, Choice, Family


@dataclass(frozen=True)
class BSpline(Family):
    """B-splines of degree ``order`` on ``grid`` intervals of [``low``, ``high``], ``order`` knots beyond each end.

    Outside they fall to 0, and only the base of the layer remains.

    >>> BSpline(grid=5, order=3).size
    8
    """

    name: ClassVar[str] = "bspline"
    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"grid": (3, 5, 10, 20), "order": (1, 2, 3)}
    has_constant: ClassVar[bool] = True

    grid: int = 5
    order: int = 3
    low: float = -1.0
    high: float = 1.0

    @property
    def size(self) -> int:
        return self.grid + self.order

    def basis(self, inputs: int) -> Basis:
        return SplineBasis(inputs, self.grid, self.order, self.low, self.high)

    def flops(self) -> int:
        return 2 + (5 + 2 * self.order) * self.size
