"""What decides a layer, but for its size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from automl import ConfigurationError
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


def specs_of_nodes(specs: Sequence[KanSpec], of_node: Sequence[int]) -> list[KanSpec]:
    """Return the spec of each node of a layer whose node ``i`` has ``specs[of_node[i]]``.

    What comes before the basis is made definite, for as many inputs as there are nodes.

    Raises:
        ConfigurationError: there are no nodes, a number is no spec's, or specs differ in what comes behind the sum.
    """
    wrong = [place for place in of_node if not 0 <= place < len(specs)]
    if not of_node or wrong:
        raise ConfigurationError(
            f"nodes choose among {len(specs)} specs by number, from 0 on, but got {wrong[0] if wrong else 'no nodes'}"
        )
    resolved = [replace(spec, before=spec.before_of(len(of_node))) for spec in specs]
    chosen = [resolved[place] for place in of_node]
    behind = sorted({spec.after for spec in chosen})
    if len(behind) > 1:
        raise ConfigurationError(f"the nodes of a layer share what is behind the sum, but got {', '.join(behind)}")
    return chosen
