"""What both search spaces have in common beside their layers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from automl import Architecture, SearchSpace
from automl_spaces.kan.operators import perturb

if TYPE_CHECKING:
    from numpy.random import Generator

B = TypeVar("B")


class GrowingSpace(SearchSpace[B]):
    """A space whose networks can grow and keep their function.

    Attributes:
        growth: names of the ways to grow.
    """

    growth: ClassVar[Sequence[str]]

    @property
    def has_supernet(self) -> bool:
        """Whether no layer learns to choose, which is another way to share weights."""
        return "selected" not in self.options.families

    @abstractmethod
    def grow(self, architecture: Architecture, operator: str, rng: Generator) -> Architecture | None:
        """Apply one of `growth`; ``None`` where it does not apply."""

    def perturb(self, architecture: Architecture, rng: Generator) -> Architecture:
        """Grow the network in a way that keeps its function, or change one decision, with even chances."""
        return perturb(
            self.growth, lambda name: self.grow(architecture, name, rng), lambda: self.mutate(architecture, rng), rng
        )
