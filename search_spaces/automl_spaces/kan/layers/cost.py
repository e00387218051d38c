"""What a layer costs, by formula: trainable parameters and operations of one example.

[1] Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import torch

from automl_spaces.kan.layers.spec import KanSpec, specs_of_nodes

BaseFunction: TypeAlias = Literal["none", "identity", "relu", "sigmoid", "silu", "tanh", "gelu"]

_BASE_FLOPS: dict[str, int] = {"none": 0, "identity": 0, "relu": 1, "sigmoid": 4, "silu": 5, "tanh": 6, "gelu": 14}
_BEFORE_FLOPS = {"none": 0, "tanh": 6, "min_max": 4, "layer_norm": 8}
_AFTER_FLOPS = {"none": 0, "batch_norm": 2, "layer_norm": 8}


@dataclass(frozen=True, slots=True)
class Cost:
    """Trainable parameters, and operations of one example (a multiplication and an addition are two).

    >>> Cost(1, 2) + Cost(3, 4)
    Cost(parameters=4, flops=6)
    """

    parameters: int
    flops: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.parameters + other.parameters, self.flops + other.flops)


def layer_cost(spec: KanSpec, inputs: int, outputs: int, *, taps: int = 1, pixels_in: int = 1, pixels: int = 1) -> Cost:
    """Return the cost of a layer without building it.

    Args:
        spec: the layer.
        inputs: inputs, or channels in.
        outputs: outputs, or channels out.
        taps: area of the kernel of a convolution.
        pixels_in: of the image that comes in, each of which is expanded.
        pixels: of the image that goes out.
    """
    family, before = spec.family, spec.before_of(inputs)
    size = family.size
    has_base = spec.base != "none"
    edges = inputs * outputs
    parameters = edges * taps * (size + has_base) + edges * spec.edge_scale + outputs * spec.has_bias
    parameters += family.shared_parameters(inputs, outputs)
    parameters += 2 * inputs * (before == "layer_norm") + 2 * outputs * (spec.after != "none")
    each = outputs if family.is_per_edge else 1
    seen = inputs * (family.flops() * each + _BEFORE_FLOPS[before] + _BASE_FLOPS[spec.base])
    made = 2 * edges * taps * (size + has_base) + outputs * (spec.has_bias + _AFTER_FLOPS[spec.after])
    return Cost(parameters, pixels_in * seen + pixels * made)


def mixed_cost(
    specs: Sequence[KanSpec],
    of_node: Sequence[int],
    outputs: int,
    *,
    taps: int = 1,
    pixels_in: int = 1,
    pixels: int = 1,
) -> Cost:
    """Return the cost of a layer whose node ``i`` has ``specs[of_node[i]]``; other arguments as of `layer_cost`.

    Each spec normalises all inputs, and is counted so; bias and what comes behind the sum are there once.
    """
    chosen, inputs, cost = specs_of_nodes(specs, of_node), len(of_node), Cost(0, 0)
    for spec in dict.fromkeys(chosen):
        nodes = [node for node, each in enumerate(chosen) if each == spec]
        bare = replace(spec, before="none", after="none", bias=False)
        cost += layer_cost(bare, len(nodes), outputs, taps=taps, pixels_in=pixels_in, pixels=pixels)
        before = spec.before_of(inputs)
        shared = _shared_parameters(spec, nodes, inputs, outputs) - spec.family.shared_parameters(len(nodes), outputs)
        cost += Cost(shared + 2 * inputs * (before == "layer_norm"), pixels_in * inputs * _BEFORE_FLOPS[before])
    has_bias, after = any(spec.has_bias for spec in chosen), chosen[0].after
    behind = Cost(
        outputs * has_bias + 2 * outputs * (after != "none"), pixels * outputs * (has_bias + _AFTER_FLOPS[after])
    )
    return cost + behind


def _shared_parameters(spec: KanSpec, nodes: Sequence[int], inputs: int, outputs: int) -> int:
    """Return the trainable parameters of the layer's basis that belong to ``nodes``."""
    with torch.device("cpu"):
        whole = spec.family.edge_basis(inputs, outputs) if spec.family.is_per_edge else spec.family.basis(inputs)
        return sum(tensor.numel() for tensor in whole.of_nodes(torch.tensor(nodes)).parameters())


def pykan_cost(inputs: int, outputs: int, grid: int = 5, order: int = 3, base: BaseFunction = "none") -> Cost:
    """Return the cost of a spline layer by the rule of [1], which counts pykan's recurrence for every edge.

    The rule for operations is ``9k(G + 1.5k) + 2G - 2.5k + 1`` for each edge; parameters are ``G + k + 2`` for each
    edge, and a bias for each output. A base adds its function for each input and a weight for each edge.
    """
    edges = inputs * outputs
    of_edge = 9 * order * (grid + 1.5 * order) + 2 * grid - 2.5 * order + 1
    cost = Cost(edges * (grid + order + 2) + outputs, int(edges * of_edge))
    if base == "none":
        return cost
    return cost + Cost(edges, _BASE_FLOPS[base] * inputs + 2 * edges)


def mlp_cost(*widths: int, activation: BaseFunction = "silu") -> Cost:
    """Return the cost of linear layers with biases of these ``widths``, and activations between them."""
    cost = Cost(0, 0)
    for place, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        is_hidden = place + 2 < len(widths)
        flops = (2 * inputs + 1) * outputs + _BASE_FLOPS[activation] * outputs * is_hidden
        cost += Cost((inputs + 1) * outputs, flops)
    return cost
