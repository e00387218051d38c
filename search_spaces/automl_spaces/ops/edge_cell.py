"""Networks of cells with operations on the edges, as in NAS-Bench-201 [1].

A node of a cell is the sum of its incoming edges; each edge applies its operation to its source. All
operations keep the number of channels and the size of the image; convolutions are ReLU, convolution, batch
normalisation.

[1] Dong and Yang. NAS-Bench-201: Extending the scope of reproducible neural architecture search. 2020.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from automl_spaces.ops.activations.choice import DEFAULT
from automl_spaces.ops.convolution import activation_of, conv_bn, relu_conv_bn
from automl_spaces.ops.images import GlobalAverage, can_halve
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from automl import Task

STAGES = 3

OPERATIONS: dict[str, Callable[[int, str], nn.Module]] = {
    "skip_connect": lambda channels, activation: nn.Identity(),
    "nor_conv_1x1": lambda channels, activation: relu_conv_bn(channels, channels, 1, activation=activation),
    "nor_conv_3x3": lambda channels, activation: relu_conv_bn(channels, channels, 3, activation=activation),
    "avg_pool_3x3": lambda channels, activation: nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
}

Edge = tuple[int, int]


class EdgeCell(nn.Module):
    """A cell: ``(batch, channels, height, width)`` to the same shape.

    As published, every convolution owns its parameters, those included that the output does not depend on;
    they are never executed. A convolution of a node without inputs is executed on zeros and gives its bias.

    Args:
        operations: operation of each edge ``(source, target)``, ``source < target``; a key of `OPERATIONS`,
            or ``none``. Node 0 is the input and node ``size - 1`` the output.
        size: number of nodes.
        channels: channels of every node.
        activation: in place of ReLU.

    >>> EdgeCell({(0, 1): "avg_pool_3x3", (1, 2): "skip_connect"}, 3, 4)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 4, 8, 8])
    """

    def __init__(self, operations: Mapping[Edge, str], size: int, channels: int, activation: str = DEFAULT) -> None:
        super().__init__()
        present = {edge: operation for edge, operation in operations.items() if operation != "none"}
        modules = {_name(edge): OPERATIONS[operation](channels, activation) for edge, operation in present.items()}
        self.edges = nn.ModuleDict(modules)
        self._plan = _plan(present, size)

    def forward(self, image: Tensor) -> Tensor:
        """Return the sum at the output; zeros when nothing reaches it."""
        states: list[Tensor | None] = [image]
        for arriving in self._plan:
            total: Tensor | None = None
            for source, name in arriving:
                state = states[source]
                term = self.edges[name](torch.zeros_like(image) if state is None else state)
                total = term if total is None else total + term
            states.append(total)
        output = states[-1]
        return torch.zeros_like(image) if output is None else output


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a 1x1 shortcut: between the stages, halving the image with ``stride=2``."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str = DEFAULT) -> None:
        super().__init__()
        first = relu_conv_bn(inputs, outputs, 3, stride=stride, activation=activation)
        self.body = nn.Sequential(first, relu_conv_bn(outputs, outputs, 3, activation=activation))
        convolution = nn.Conv2d(inputs, outputs, 1, bias=False)
        halving = [nn.AvgPool2d(2, ceil_mode=True)] if stride == 2 else []
        self.shortcut = nn.Sequential(*halving, convolution)

    def forward(self, image: Tensor) -> Tensor:
        """Return the sum of both ways."""
        output: Tensor = self.body(image) + self.shortcut(image)
        return output


def edge_cell_network(
    operations: Mapping[Edge, str],
    size: int,
    channels: int,
    cells: int,
    task: Task,
    space: str,
    activation: str = DEFAULT,
) -> nn.Sequential:
    """Return a 3x3 stem, three stages of ``cells`` cells with residual blocks between, and a dense layer.

    Residual blocks double the channels and halve the image, unless it is too small (`can_halve`).

    Raises:
        ConfigurationError: the task's inputs are no images.
    """
    inputs, height, width = image_shape(task, space)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = conv_bn(inputs, channels, 3)
    for stage in range(STAGES):
        if stage > 0:
            stride = 2 if can_halve(height, width) else 1
            layers[f"reduction_{stage}"] = ResidualBlock(channels, 2 * channels, stride, activation)
            channels, height, width = 2 * channels, -(-height // stride), -(-width // stride)
        for cell in range(cells):
            layers[f"cell_{stage}_{cell}"] = EdgeCell(operations, size, channels, activation)
    layers["normalisation"] = nn.BatchNorm2d(channels)
    layers["activation"] = activation_of(channels, activation, inplace=True)
    layers["average"] = GlobalAverage()
    layers["classifier"] = nn.Linear(channels, task.output_size)
    return nn.Sequential(layers)


def _plan(present: Mapping[Edge, str], size: int) -> list[list[tuple[int, str]]]:
    """Return, for each node from 1 on, the source and name of the edges to execute."""
    reaching = {size - 1}
    for source, target in sorted(present, reverse=True):
        if target in reaching:
            reaching.add(source)
    filled = {0}
    plan: list[list[tuple[int, str]]] = []
    for node in range(1, size):
        arriving = []
        for source in range(node):
            name = present.get((source, node), "none")
            if node in reaching and name != "none" and (source in filled or "conv" in name):
                arriving.append((source, _name((source, node))))
                filled.add(node)
        plan.append(arriving)
    return plan


def _name(edge: Edge) -> str:
    return f"edge_{edge[0]}_{edge[1]}"
