"""Layers whose every node chooses its functions: nodes of one choice are one expansion and one product.

Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from automl import ConfigurationError
from automl_spaces.kan.layers.basis import Basis
from automl_spaces.kan.layers.conv import KanConv, pixel_counts
from automl_spaces.kan.layers.cost import mixed_cost
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.linear import KanLinear
from automl_spaces.kan.layers.normalisation import add_bias, apply_after, make_after, make_before
from automl_spaces.kan.layers.spec import KanSpec, specs_of_nodes


class Pick(nn.Module):
    """Takes ``nodes`` of the axis of the inputs: the last one, of images the channels."""

    nodes: Tensor

    def __init__(self, nodes: Tensor, *, is_image: bool) -> None:
        super().__init__()
        self.axis = 1 if is_image else -1
        self.register_buffer("nodes", nodes, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return x.index_select(self.axis, self.nodes)

    def extra_repr(self) -> str:
        return f"{len(self.nodes)} nodes"


class _Group(KanLayer):
    """The part of a mixed layer that is of one spec: it is given all inputs, and listens to its own nodes.

    What comes before the basis sees all inputs, as in a layer of one family: layer normalisation is over all of them.
    """

    def listen(self, before: nn.Module, basis: nn.Module, nodes: Tensor) -> None:
        """Put ``before``, of all inputs, in front of ``basis``, of ``nodes``; share the variance with other groups."""
        pick = Pick(nodes, is_image=self.is_image)
        self.before, self.basis, self.pick = nn.Sequential(before, pick), basis, pick  # type: ignore[assignment]

    def base_values(self, x: Tensor) -> Tensor:
        return super().base_values(self.pick(x))


class LinearGroup(_Group, KanLinear):
    """A group of `MixedKanLinear`."""


class ConvGroup(_Group, KanConv):
    """A group of `MixedKanConv`."""


class MixedLayer(nn.Module, ABC):
    """A sum of groups: ``y_o = Σ_i φ_oi(x_i)`` with ``φ_oi`` of the family that node ``i`` chose.

    Nodes of equal specs are one group. There is one bias, where any of the specs has one, and one normalisation behind
    the sum, on which all specs agree. Choices that no node makes cost nothing.

    Attributes:
        inputs: number of inputs or channels; ``outputs`` alike.
        specs: those in use, in order of appearance, one for each group.
        of_node: for each input, which of ``specs`` it has.
    """

    is_image = False

    def __init__(self, inputs: int, outputs: int, specs: Sequence[KanSpec], of_node: Sequence[int]) -> None:
        super().__init__()
        if len(of_node) != inputs:
            raise ConfigurationError(f"a layer of {inputs} inputs needs a choice for each, but got {len(of_node)}")
        chosen = specs_of_nodes(specs, of_node)
        self.inputs, self.outputs = inputs, outputs
        self.specs = tuple(dict.fromkeys(chosen))
        self.of_node = tuple(self.specs.index(spec) for spec in chosen)
        self.groups = nn.ModuleList()
        self.bias = nn.Parameter(torch.zeros(outputs)) if any(spec.has_bias for spec in self.specs) else None
        self.after = make_after(self.specs[0].after, outputs, is_image=self.is_image)

    def nodes_of(self, group: int) -> list[int]:
        """Return the inputs of a group."""
        return [node for node, place in enumerate(self.of_node) if place == group]

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = sum(group(x) for group in self.groups)
        return apply_after(self.after, add_bias(summed, self.bias, is_image=self.is_image))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all coefficients anew, for unit variance of the sum."""
        for group in self._layers():
            group.reset_parameters(generator)
        self._share_variance()
        if self.bias is not None:
            self.bias.zero_()

    @abstractmethod
    def new_group(self, nodes: int, spec: KanSpec, generator: torch.Generator | None) -> _Group:
        """Return a group for so many nodes, which does not listen yet."""

    def _make_groups(self, generator: torch.Generator | None) -> None:
        for place, spec in enumerate(self.specs):
            nodes, family = self.nodes_of(place), spec.family
            group = self.new_group(len(nodes), replace(spec, after="none", bias=False), generator)
            before = make_before(
                spec.before_of(self.inputs), self.inputs, is_bounded=family.is_bounded, is_image=self.is_image
            )
            group.listen(before, _basis(spec, self, nodes), torch.tensor(nodes))
            self.groups.append(group)
        self._share_variance()

    @torch.no_grad()
    def _share_variance(self) -> None:
        """Let each group start with its nodes' part of the variance; alone it would start with all."""
        for group in self._layers():
            factor = math.sqrt(group.inputs / self.inputs)
            for module in (group.product, group.base):
                if module is not None:
                    module.weight.mul_(factor)  # type: ignore[operator]

    def _layers(self) -> list[KanLayer]:
        return [group for group in self.groups if isinstance(group, KanLayer)]

    def extra_repr(self) -> str:
        return f"{self.inputs}, {self.outputs}"


class MixedKanLinear(MixedLayer):
    """A layer of learnt functions whose every input chooses its family, `(..., inputs)` to `(..., outputs)`.

    Args:
        inputs: of the last axis.
        outputs: of the last axis.
        specs: choices; those that are equal are one.
        of_node: for each input, the number of its spec, `(inputs,)`.
        generator: draws the weights; by default torch's own.

    Raises:
        ConfigurationError: not one choice for each input, or specs with different normalisation behind.

    >>> from automl_spaces.kan.layers import KanSpec, make_family
    >>> specs = [KanSpec(make_family("sine")), KanSpec(make_family("chebyshev"))]
    >>> MixedKanLinear(3, 2, specs, [0, 1, 0])(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        specs: Sequence[KanSpec],
        of_node: Sequence[int],
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(inputs, outputs, specs, of_node)
        self._make_groups(generator)

    def new_group(self, nodes: int, spec: KanSpec, generator: torch.Generator | None) -> LinearGroup:
        return LinearGroup(nodes, self.outputs, spec, generator=generator)

    def count_operations(self, shape: tuple[int, ...]) -> int:
        """Return all arithmetic for inputs of ``shape``, which evaluators ask for; see `mixed_cost`."""
        return mixed_cost(self.specs, self.of_node, self.outputs).flops * math.prod(shape[:-1])


class MixedKanConv(MixedLayer):
    """A convolution whose every input channel chooses its family; otherwise as `KanConv` and `MixedKanLinear`.

    >>> from automl_spaces.kan.layers import KanSpec, make_family
    >>> specs = [KanSpec(make_family("sine")), KanSpec(make_family("chebyshev"))]
    >>> MixedKanConv(2, 4, 3, specs, [0, 1])(torch.zeros(5, 2, 8, 8)).shape
    torch.Size([5, 4, 8, 8])
    """

    is_image = True

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        specs: Sequence[KanSpec],
        of_node: Sequence[int],
        *,
        stride: int = 1,
        padding: int | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(inputs, outputs, specs, of_node)
        self.kernel, self.stride = kernel, stride
        self.padding = kernel // 2 if padding is None else padding
        self._make_groups(generator)

    def new_group(self, nodes: int, spec: KanSpec, generator: torch.Generator | None) -> ConvGroup:
        return ConvGroup(
            nodes, self.outputs, self.kernel, spec, stride=self.stride, padding=self.padding, generator=generator
        )

    def count_operations(self, shape: tuple[int, ...]) -> int:
        """Return all arithmetic for images of ``shape``, which evaluators ask for; see `mixed_cost`."""
        sizes = pixel_counts(shape, self.kernel, self.stride, self.padding)
        return shape[0] * mixed_cost(self.specs, self.of_node, self.outputs, **sizes).flops


def _basis(spec: KanSpec, layer: MixedLayer, nodes: list[int]) -> Basis:
    """Return the basis of the whole layer, cut down to ``nodes``; made on the CPU, since cutting looks at numbers."""
    with torch.device("cpu"):
        family = spec.family
        whole = family.edge_basis(layer.inputs, layer.outputs) if family.is_per_edge else family.basis(layer.inputs)
        cut = whole.of_nodes(torch.tensor(nodes))
    return cut.to(torch.get_default_device())
