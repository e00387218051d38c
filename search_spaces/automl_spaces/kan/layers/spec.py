"""What decides a layer, but for its size."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from automl_spaces.kan.layers.basis import Before, Family
from automl_spaces.kan.layers.bspline import BSpline
from automl_spaces.kan.layers.normalisation import After, default_before

Base: TypeAlias = Literal["none", "identity", "silu"]


@dataclass(frozen=True)
class KanSpec:
    """A layer without its size.

    Attributes:
        family: the functions and their options.
        base: a fixed function beside them, with a weight for each edge; of the input as it comes, before normalisation.
        before: normalisation in front of the basis; by default that of the family.
        after: normalisation of the sum.
        bias: by default where the family has no constants.
        edge_scale: one more trained factor for each edge, as in pykan and efficient-kan.

    >>> KanSpec(base="silu").family.name
    'bspline'
    """

    family: Family = field(default_factory=BSpline)
    base: Base = "none"
    before: Before | None = None
    after: After = "none"
    bias: bool | None = None
    edge_scale: bool = False

    @property
    def has_bias(self) -> bool:
        """Whether there is a bias."""
        return not self.family.has_constant if self.bias is None else self.bias

    def before_of(self, inputs: int) -> Before:
        """Return the normalisation in front of a basis of ``inputs`` inputs."""
        return self.before or default_before(self.family, inputs)

    def with_family(self, family: Family) -> KanSpec:
        """Return the same with another family."""
        return replace(self, family=family)
