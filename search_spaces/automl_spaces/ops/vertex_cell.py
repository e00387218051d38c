"""Networks of cells with operations on the vertices, as in NAS-Bench-101 [1].

A cell reads its input through 1x1 projections (convolution, batch normalisation, ReLU), one for each vertex
that the input feeds. The sum of a vertex's inputs passes through its operation. The vertices that feed the
output are concatenated there, and the projected input, if it feeds the output too, is added to the
concatenation.

[1] Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from automl_spaces.ops.activations.choice import DEFAULT
from automl_spaces.ops.convolution import conv_bn_relu
from automl_spaces.ops.images import GlobalAverage, can_halve
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from automl import Task

Edges = Sequence[tuple[int, int]]

OPERATIONS: dict[str, Callable[[int, float, str], nn.Module]] = {
    "conv3x3-bn-relu": lambda channels, momentum, activation: conv_bn_relu(
        channels, channels, 3, momentum=momentum, activation=activation
    ),
    "conv1x1-bn-relu": lambda channels, momentum, activation: conv_bn_relu(
        channels, channels, 1, momentum=momentum, activation=activation
    ),
    "maxpool3x3": lambda channels, momentum, activation: nn.MaxPool2d(3, stride=1, padding=1),
}


def vertex_channels(size: int, edges: Edges, outputs: int) -> list[int]:
    """Return the channels of the inner vertices 1 to ``size - 2`` of a cell with ``outputs`` output channels.

    The output's channels are divided evenly among the inner vertices that feed it; the first vertices take
    one of the remainder each, so that isomorphic cells can differ by a few parameters, as published. Any
    other vertex has as many channels as the widest vertex that it feeds.
    """
    last = size - 1
    feeding = [source for source, target in edges if target == last and source > 0]
    share, rest = divmod(outputs, max(1, len(feeding)))
    channels = {vertex: share + (place < rest) for place, vertex in enumerate(sorted(feeding))}
    for vertex in range(last - 1, 0, -1):
        if vertex not in channels:
            channels[vertex] = max(channels[target] for source, target in edges if source == vertex)
    return [channels[vertex] for vertex in range(1, last)]


class Vertex(nn.Module):
    """An inner vertex: sums its inputs, each cut to the vertex's channels, and applies its operation."""

    def __init__(self, operation: nn.Module, projection: nn.Module | None, sources: Sequence[int], width: int) -> None:
        super().__init__()
        self.projection = projection
        self.operation = operation
        self._sources = tuple(sources)
        self._width = width

    def forward(self, image: Tensor, states: list[Tensor]) -> Tensor:
        """Return the vertex's output; ``states`` are those of the vertices before it."""
        total = None if self.projection is None else self.projection(image)
        for source in self._sources:
            state = states[source]
            if state.shape[1] > self._width:
                state = state[:, : self._width]
            total = state if total is None else total + state
        output: Tensor = self.operation(total)
        return output


class VertexCell(nn.Module):
    """A cell: ``(batch, inputs, height, width)`` to ``(batch, outputs, height, width)``.

    Args:
        operations: operation of each inner vertex, a key of `OPERATIONS`.
        edges: ``(source, target)`` with ``source < target``; vertex 0 is the input, the last one the output,
            and every vertex lies on a path between them.
        inputs: input channels.
        outputs: output channels, at least as many as there are vertices that feed the output.
        momentum: see `conv_bn`.
        activation: in place of ReLU.

    >>> VertexCell(["maxpool3x3"], [(0, 1), (1, 2)], 4, 8)(torch.zeros(1, 4, 8, 8)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        operations: Sequence[str],
        edges: Edges,
        inputs: int,
        outputs: int,
        momentum: float = 0.1,
        activation: str = DEFAULT,
    ) -> None:
        super().__init__()
        last = len(operations) + 1
        project = functools.partial(conv_bn_relu, inputs, kernel=1, momentum=momentum, activation=activation)
        self.vertices = nn.ModuleList()
        widths = vertex_channels(last + 1, edges, outputs)
        for vertex, (operation, width) in enumerate(zip(operations, widths, strict=True), 1):
            projection = project(outputs=width) if (0, vertex) in edges else None
            sources = [source - 1 for source, target in edges if target == vertex and source > 0]
            module = OPERATIONS[operation](width, momentum, activation)
            self.vertices.append(Vertex(module, projection, sources, width))
        self.projection = project(outputs=outputs) if (0, last) in edges else None
        self._outputs = tuple(source - 1 for source, target in edges if target == last and source > 0)

    def forward(self, image: Tensor) -> Tensor:
        """Return the cell's output."""
        states: list[Tensor] = []
        for vertex in self.vertices:
            states.append(vertex(image, states))
        picked = [states[vertex] for vertex in self._outputs]
        if self.projection is None:
            return torch.cat(picked, 1) if len(picked) > 1 else picked[0]
        projected: Tensor = self.projection(image)
        if not picked:
            return projected
        return projected + (torch.cat(picked, 1) if len(picked) > 1 else picked[0])


@dataclass(frozen=True, slots=True)
class Macro:
    """The network around the cells; see the options of the space for the meaning of the fields."""

    stem_channels: int
    stacks: int
    cells_per_stack: int
    momentum: float
    activation: str = DEFAULT


def vertex_cell_network(operations: Sequence[str], edges: Edges, macro: Macro, task: Task, space: str) -> nn.Sequential:
    """Return a 3x3 stem, stacks of equal cells, the mean over the pixels and a dense layer.

    Between stacks the channels double, and 2x2 max pooling halves the image unless it is too small
    (`can_halve`).

    Raises:
        ConfigurationError: the task's inputs are no images.
    """
    inputs, height, width = image_shape(task, space)
    channels = outputs = macro.stem_channels
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = conv_bn_relu(inputs, channels, 3, momentum=macro.momentum, activation=macro.activation)
    for stack in range(macro.stacks):
        if stack > 0:
            outputs = 2 * channels
            if can_halve(height, width):
                height, width = height // 2, width // 2
                layers[f"downsample_{stack}"] = nn.MaxPool2d(2)
        for cell in range(macro.cells_per_stack):
            layers[f"cell_{stack}_{cell}"] = VertexCell(
                operations, edges, channels, outputs, macro.momentum, macro.activation
            )
            channels = outputs
    layers["average"] = GlobalAverage()
    layers["classifier"] = nn.Linear(channels, task.output_size)
    return nn.Sequential(layers)
