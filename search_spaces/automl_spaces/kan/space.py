"""Kolmogorov-Arnold networks whose layers choose their functions: the search space ``kan`` [1, 2].

The walk asks for the depth, then layer by layer for the width, the family of functions, the family's own decisions
(grid and order, degree, frequencies: they exist for their family alone, and their names carry it), the base, and the
normalisation in front and behind. Widths and ranges are those of [3] and of public codes.

Every node of [2] chooses for itself; here a layer does, since a layer of one family is one matrix product. The last
layer has no width and no normalisation behind it.

[1] Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756.
[2] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
[3] Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from automl import BaseOptions, Chooser, SearchSpace, Task
from automl_spaces.kan._choices import Distinct, LayerChoice, LayerOptions, Width, choose_layer

if TYPE_CHECKING:
    from torch import nn


class KanOptions(LayerOptions):
    """Options of `Kan`."""

    depths: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], Distinct] = (1, 2, 3, 4)
    """Numbers of layers, the last one included."""

    widths: Annotated[tuple[Width, ...], Distinct] = (2, 4, 8, 16, 32, 64, 128, 256)
    """Numbers of nodes between two layers."""


@dataclass(frozen=True, slots=True)
class KanBlueprint:
    """A network without the sizes that its task decides.

    Attributes:
        widths: nodes behind each layer but the last, `(layers - 1,)`.
        layers: one or more.
    """

    widths: tuple[int, ...]
    layers: tuple[LayerChoice, ...]


class Kan(SearchSpace[KanBlueprint]):
    """Networks of one to four layers of learnt functions, on the flattened inputs of any task.

    >>> from numpy.random import default_rng
    >>> space = Kan(KanOptions(families=("chebyshev",), depths=(2,), bases=("silu",), befores=("tanh",)))
    >>> space.title(space.blueprint(space.sample(default_rng(0))))
    'chebyshev(degree=6, tanh) + silu > batch_norm -> 128 -> chebyshev(degree=3, tanh) + silu'
    """

    paper: ClassVar[str] = "Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338."
    Options: ClassVar[type[BaseOptions]] = KanOptions

    def decide(self, choose: Chooser) -> KanBlueprint:
        """Ask for the depth, then for each layer and the width behind it."""
        depth = choose.categorical("depth", self.options.depths)
        widths, layers = [], []
        for number in range(depth):
            is_last = number == depth - 1
            if not is_last:
                widths.append(choose.categorical(f"width_{number}", self.options.widths, role="width"))
            layers.append(choose_layer(choose, number, self.options, is_last=is_last))
        return KanBlueprint(tuple(widths), tuple(layers))

    def build(self, blueprint: KanBlueprint, task: Task) -> nn.Module:
        """Return an `nn.Sequential` of `nn.Flatten` and one `KanLinear` for each layer."""
        from torch import nn

        from automl_spaces.kan.layers import KanLinear

        network = nn.Sequential(nn.Flatten())
        inputs = math.prod(task.input_shape)
        for outputs, layer in zip((*blueprint.widths, task.output_size), blueprint.layers, strict=True):
            network.append(KanLinear(inputs, outputs, layer.spec()))
            inputs = outputs
        return network

    def title(self, blueprint: KanBlueprint) -> str:
        """Return the layers, and the widths between them."""
        parts = [blueprint.layers[0].title()]
        for width, layer in zip(blueprint.widths, blueprint.layers[1:], strict=True):
            parts += [str(width), layer.title()]
        return " -> ".join(parts)
