"""Kolmogorov-Arnold networks whose layers, or nodes, choose their functions: the search space ``kan`` [1, 2].

The walk asks for the depth, then layer by layer for the width, the family of functions, the family's own decisions
(grid and order, degree, frequencies: they exist for their family alone, and their names carry it), the base, and the
normalisation in front and behind. Widths and ranges are those of [3] and of public codes. The last layer has no width
and no normalisation behind it.

Every node of [2] chooses for itself. By default a layer does here, since a layer of one family is one matrix product;
with ``per = "node"`` its nodes do. A walk knows no task, so that the choices of the first layer are ``input_groups``
whatever the number of inputs, and those of the others ``node_groups`` at most: nodes take them in turn.

`Kan.perturb` is the mutation of this space: half the time one of the changes after which a trained function can be
kept (`operators`), which grow a network, and otherwise the change of one decision, which shrinks it as often.

[1] Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756.
[2] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
[3] Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from automl import Architecture, BaseOptions, Chooser, Explanation, ReplayChooser, Supernet, Task, Value
from automl_spaces.kan._choices import (
    Distinct,
    LayerChoice,
    LayerOptions,
    Width,
    answers_of,
    choose_layer,
    linear_layer,
)
from automl_spaces.kan._growing import GrowingSpace
from automl_spaces.kan.operators import GROWTH, LAYER_OPERATORS, identity, in_one_layer, wider, with_nodes

if TYPE_CHECKING:
    from numpy.random import Generator
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


class Kan(GrowingSpace[KanBlueprint]):
    """Networks of one to four layers of learnt functions, on the flattened inputs of any task.

    >>> from numpy.random import default_rng
    >>> space = Kan(KanOptions(families=("chebyshev",), depths=(2,), bases=("silu",), befores=("tanh",)))
    >>> space.title(space.blueprint(space.sample(default_rng(0))))
    'chebyshev(degree=6, tanh) + silu > batch_norm -> 128 -> chebyshev(degree=3, tanh) + silu'
    """

    paper: ClassVar[str] = "Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338."
    Options: ClassVar[type[BaseOptions]] = KanOptions
    growth: ClassVar[Sequence[str]] = GROWTH

    def decide(self, choose: Chooser) -> KanBlueprint:
        """Ask for the depth, then for each layer and the width behind it."""
        depth = choose.categorical("depth", self.options.depths)
        widths: list[int] = []
        layers = []
        for number in range(depth):
            is_last = number == depth - 1
            count = self.options.choices(widths[-1] if widths else None)
            if not is_last:
                widths.append(choose.categorical(f"width_{number}", self.options.widths, role="width"))
            layers.append(choose_layer(choose, number, self.options, is_last=is_last, count=count))
        return KanBlueprint(tuple(widths), tuple(layers))

    def encode(self, blueprint: KanBlueprint) -> dict[str, Value]:
        """Return the answers that make `decide` return ``blueprint``: the inverse of the walk."""
        values: dict[str, Value] = {"depth": len(blueprint.layers)}
        values |= {f"width_{number}": width for number, width in enumerate(blueprint.widths)}
        is_per_node = self.options.per == "node"
        for number, layer in enumerate(blueprint.layers):
            is_last = number == len(blueprint.widths)
            values |= answers_of(layer, number, is_last=is_last, is_per_node=is_per_node)
        return values

    def build(self, blueprint: KanBlueprint, task: Task) -> nn.Module:
        """Return an `nn.Sequential` of `nn.Flatten` and a `KanLinear`, or a `MixedKanLinear`, for each layer."""
        from torch import nn

        network = nn.Sequential(nn.Flatten())
        inputs = math.prod(task.input_shape)
        for outputs, layer in zip((*blueprint.widths, task.output_size), blueprint.layers, strict=True):
            network.append(linear_layer(inputs, outputs, layer))
            inputs = outputs
        return network

    def supernet(self, task: Task) -> Supernet:
        """Return the weights of all architectures; see `automl_spaces.kan.supernet` for what is shared.

        Raises:
            ConfigurationError: the family `selected` is among the options.
        """
        from automl_spaces.kan.supernet import kan_supernet

        return kan_supernet(self, task)

    def explain(self, blueprint: KanBlueprint, network: nn.Module, task: Task) -> Explanation | None:
        """Return the network's edges as named functions, and for a small network its formula."""
        from automl_spaces.kan.explain import explain

        return explain(network, task)

    def grow(self, architecture: Architecture, operator: str, rng: Generator) -> Architecture | None:
        """Apply one of `GROWTH`; ``None`` where it does not apply."""
        blueprint = self.blueprint(architecture)
        if operator == "widen":
            grown = self._widened(blueprint, rng)
        elif operator == "deepen":
            grown = self._deepened(blueprint, rng)
        else:
            layers = in_one_layer(LAYER_OPERATORS[operator], blueprint.layers, self.options, rng)
            grown = None if layers is None else replace(blueprint, layers=layers)
        return None if grown is None else self.record(ReplayChooser(self.encode(grown)))

    def morph(
        self, network: nn.Module, old: KanBlueprint, new: KanBlueprint, task: Task, *, seed: int = 0
    ) -> nn.Module | None:
        """Return the network of ``new`` with the function of ``network``, which is one of ``old`` and stays as it is.

        Exact for more nodes, for a layer of `grow`, for higher degrees and for splines of twice the grid; otherwise as
        near as the new functions come on training examples. The evaluator contract lets no result depend on another
        candidate, so a search trains each network from scratch; this is for loops of your own.

        Args:
            network: to take the function from, on any device.
            old: its blueprint.
            new: blueprint of `grow`'s result, or any other that differs in functions, widths and one layer more.
            task: of the network.
            seed: draws what new nodes receive.

        Returns:
            A network in the same mode on the same device, or ``None`` where the function cannot be kept: fewer nodes or
            layers, another normalisation, another base.
        """
        from automl_spaces.kan.morphing import morph_into

        inserted = _inserted(old, new)
        if len(new.layers) != len(old.layers) + (inserted is not None):
            return None
        return morph_into(network, lambda: self.build(new, task), task, seed, inserted)

    def title(self, blueprint: KanBlueprint) -> str:
        """Return the layers, and the widths between them."""
        parts = [blueprint.layers[0].title()]
        for width, layer in zip(blueprint.widths, blueprint.layers[1:], strict=True):
            parts += [str(width), layer.title()]
        return " -> ".join(parts)

    def _widened(self, blueprint: KanBlueprint, rng: Generator) -> KanBlueprint | None:
        found = wider(blueprint.widths, blueprint.layers, self.options.widths, rng)
        if found is None:
            return None
        place, width = found
        layers = list(blueprint.layers)
        layers[place + 1] = with_nodes(layers[place + 1], self.options.choices(width), self.options, rng)
        return KanBlueprint((*blueprint.widths[:place], width, *blueprint.widths[place + 1 :]), tuple(layers))

    def _deepened(self, blueprint: KanBlueprint, rng: Generator) -> KanBlueprint | None:
        widths, layers = blueprint.widths, blueprint.layers
        if not widths or len(layers) + 1 not in self.options.depths:
            return None
        place = 1 + int(rng.integers(len(widths)))
        width = widths[place - 1]
        layer = identity(self.options.choices(width), self.options, rng)
        if layer is None:
            return None
        return KanBlueprint((*widths[:place], width, *widths[place:]), (*layers[:place], layer, *layers[place:]))


def _inserted(old: KanBlueprint, new: KanBlueprint) -> int | None:
    """Return the layer of ``new`` that ``old`` has not, or ``None`` where that is not the only difference."""
    for place in range(1, len(new.layers)):
        rest = KanBlueprint(
            (*new.widths[: place - 1], *new.widths[place:]), (*new.layers[:place], *new.layers[place + 1 :])
        )
        if rest == old:
            return place
    return None
