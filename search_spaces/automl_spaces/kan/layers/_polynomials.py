"""What families of polynomials up to a degree have in common."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from automl_spaces.kan.layers.basis import Before, Choice, Family


@dataclass(frozen=True)
class PolynomialFamily(Family, ABC):
    """Polynomials on [-1, 1], one of each degree or as many as that; constants are among them."""

    choices: ClassVar[Mapping[str, tuple[Choice, ...]]] = {"degree": (2, 3, 4, 5, 6, 7, 8)}
    is_bounded: ClassVar[bool] = True
    has_constant: ClassVar[bool] = True
    before: ClassVar[Before] = "tanh"

    degree: int = 4

    @property
    def size(self) -> int:
        return self.degree + 1
