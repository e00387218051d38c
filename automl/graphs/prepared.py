"""Random numbers that were drawn beforehand, for solvers that may or may not need them."""

from __future__ import annotations

from typing import overload

import numpy as np
from numpy.typing import NDArray


class Prepared:
    """Hands out the same numbers from the first one on at every call; stands in for a ``Generator``.

    >>> Prepared(np.array([0.5, 0.25])).random(2).tolist()
    [0.5, 0.25]
    """

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self.numbers = numbers

    @overload
    def random(self) -> float: ...
    @overload
    def random(self, size: int) -> NDArray[np.float64]: ...
    def random(self, size: int | None = None) -> float | NDArray[np.float64]:
        """Return the first number, or the first ``size`` of them."""
        return float(self.numbers[0]) if size is None else self.numbers[:size]
