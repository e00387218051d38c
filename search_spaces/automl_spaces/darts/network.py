"""The network of DARTS for small images, as published for the final training [1]; see `automl_spaces.darts.space`.

All convolutions are without bias and followed by batch normalisation. A cell first brings both inputs to its number of
channels, and to one size; in a reduction cell, operations on the inputs have stride 2.

[1] Liu, Simonyan and Yang. DARTS: Differentiable architecture search. ICLR 2019. arXiv 1806.09055.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.darts.genotype import INPUTS, NONE, Cell, Cells, Edge
from automl_spaces.ops.convolution import conv_bn, relu_conv_bn
from automl_spaces.ops.images import GlobalAverage, can_halve

STEM = 3
"""Channels of the stem for each channel of a node in the first cells."""

_HEAD = (128, 768)


@dataclass(frozen=True, slots=True)
class Macro:
    """Everything about a network but its cells: see `automl_spaces.darts.space.DartsOptions`."""

    channels: int
    cells: int
    auxiliary: float = 0.0
    drop_path: float = 0.0

    @property
    def reductions(self) -> tuple[int, int]:
        """Positions of the reduction cells."""
        return self.cells // 3, 2 * self.cells // 3


class HalvingSkip(nn.Module):
    """Halves images without a loss of every second pixel: ``(batch, inputs, h, w)`` to ``(batch, outputs, h/2, w/2)``.

    ReLU, then two 1x1 convolutions of stride 2, one of them a pixel further down and right, each for half of the
    channels; batch normalisation. Sides are rounded up.

    >>> HalvingSkip(4, 6)(torch.zeros(1, 4, 8, 7)).shape
    torch.Size([1, 6, 4, 4])
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.activation = nn.ReLU()
        self.here = nn.Conv2d(inputs, outputs // 2, 1, stride=2, bias=False)
        self.aside = nn.Conv2d(inputs, outputs - outputs // 2, 1, stride=2, bias=False)
        self.normalisation = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return both halves, normalised."""
        images = self.activation(images)
        shifted = functional.pad(images, (0, 1, 0, 1))[:, :, 1:, 1:]
        halved: Tensor = self.normalisation(torch.cat([self.here(images), self.aside(shifted)], 1))
        return halved


class Zero(nn.Module):
    """Zeros of the size that an operation of ``stride`` gives."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, images: Tensor) -> Tensor:
        """Return the zeros; no gradient passes."""
        return torch.zeros_like(images[:, :, :: self.stride, :: self.stride])


class DropPath(nn.Module):
    """In training, replaces whole examples by zeros, each with probability ``rate``.

    The rest is multiplied by 1 / (1 - rate), so that the expectation of an example is the example. Draws from torch's
    global generator, as dropout does.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, images: Tensor) -> Tensor:
        """Return ``(batch, ...)`` with some examples dropped; as it is in evaluation."""
        if not self.training or not self.rate:
            return images
        kept = images.new_empty((len(images), *[1] * (images.ndim - 1))).bernoulli_(1 - self.rate)
        return images * (kept / (1 - self.rate))


def _separable(channels: int, kernel: int, stride: int) -> nn.Sequential:
    """Return two depthwise separable convolutions, the first of ``stride``."""
    return nn.Sequential(*_depthwise(channels, kernel, stride, 1), *_depthwise(channels, kernel, 1, 1))


def _depthwise(channels: int, kernel: int, stride: int, dilation: int) -> nn.Sequential:
    """Return ReLU, a depthwise and a 1x1 convolution, and batch normalisation."""
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(
        channels, channels, kernel, stride=stride, padding=padding, dilation=dilation, groups=channels, bias=False
    )
    return nn.Sequential(nn.ReLU(), depthwise, *conv_bn(channels, channels, 1))


OPERATIONS: dict[str, Callable[[int, int], nn.Module]] = {
    NONE: lambda channels, stride: Zero(stride),
    "max_pool_3x3": lambda channels, stride: nn.MaxPool2d(3, stride=stride, padding=1),
    "avg_pool_3x3": lambda channels, stride: nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False),
    "skip_connect": lambda channels, stride: nn.Identity() if stride == 1 else HalvingSkip(channels, channels),
    "sep_conv_3x3": lambda channels, stride: _separable(channels, 3, stride),
    "sep_conv_5x5": lambda channels, stride: _separable(channels, 5, stride),
    "dil_conv_3x3": lambda channels, stride: _depthwise(channels, 3, stride, 2),
    "dil_conv_5x5": lambda channels, stride: _depthwise(channels, 5, stride, 2),
}
"""Modules by operation, from the number of channels, which they keep, and the stride."""


class DartsCell(nn.Module):
    """A cell: two batches of images to one with ``channels`` for each inner node.

    Args:
        cell: its edges.
        channels: of an inner node.
        inputs: channels of the two inputs.
        stride: of the operations on the inputs; 2 in a reduction cell.
        is_first_larger: whether the first input's images are twice as large as the second's.
        drop_path: rate of `DropPath`, for all operations but identities.

    >>> cell = Cell.parse("skip_connect:0 max_pool_3x3:1 sep_conv_3x3:0 skip_connect:2")
    >>> DartsCell(cell, 4, (6, 6))(torch.zeros(1, 6, 8, 8), torch.zeros(1, 6, 8, 8)).shape
    torch.Size([1, 8, 8, 8])
    """

    def __init__(
        self,
        cell: Cell,
        channels: int,
        inputs: tuple[int, int],
        stride: int = 1,
        *,
        is_first_larger: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        first = HalvingSkip if is_first_larger else _one_by_one
        self.first, self.second = first(inputs[0], channels), _one_by_one(inputs[1], channels)
        self.operations = nn.ModuleList(
            [_operation(edge, channels, stride if edge[1] < INPUTS else 1, drop_path) for edge in cell.edges]
        )
        self._sources = [source for _, source in cell.edges]

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the inner nodes, their channels behind one another."""
        states = [self.first(first), self.second(second)]
        for place in range(0, len(self._sources), INPUTS):
            one, other = [self.operations[i](states[self._sources[i]]) for i in (place, place + 1)]
            states.append(one + other)
        return torch.cat(states[INPUTS:], 1)


class AuxiliaryHead(nn.Module):
    """A second classifier: ``(batch, channels, height, width)`` to ``(batch, classes)``.

    ReLU; 5x5 average pooling of stride 3 where that gives 2x2 pixels (sides of 8 to 10), and else means of quarters; a
    1x1 convolution to 128 channels and a 2x2 convolution to 768, each with batch normalisation and ReLU; a dense layer.
    """

    def __init__(self, channels: int, height: int, width: int, classes: int) -> None:
        super().__init__()
        middle, last = _HEAD
        is_published = all(8 <= side <= 10 for side in (height, width))
        self.pooling = nn.AvgPool2d(5, stride=3) if is_published else nn.AdaptiveAvgPool2d(2)
        self.features = nn.Sequential(
            nn.Conv2d(channels, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, last, 2, bias=False),
            nn.BatchNorm2d(last),
            nn.ReLU(),
        )
        self.classifier = nn.Linear(last, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs."""
        outputs: Tensor = self.classifier(self.features(self.pooling(images.relu())).flatten(1))
        return outputs


class DartsNetwork(nn.Module):
    """Stem, cells, average and a dense layer: ``(batch, *image)`` to ``(batch, outputs)``.

    With ``macro.auxiliary`` it is an `automl.HasAuxiliaryOutputs`; calls do without the auxiliary head.

    >>> cell = Cell.parse("skip_connect:0 max_pool_3x3:1")
    >>> DartsNetwork(Cells(cell, cell), Macro(4, 3), (1, 8, 8), 5)(torch.zeros(2, 1, 8, 8)).shape
    torch.Size([2, 5])
    """

    def __init__(self, cells: Cells, macro: Macro, image: tuple[int, int, int], outputs: int) -> None:
        super().__init__()
        inputs, height, width = image
        channels, self._branch = macro.channels, macro.reductions[-1]
        before = (STEM * channels, STEM * channels)
        self.stem = conv_bn(inputs, before[1], 3)
        self.cells = nn.ModuleList()
        self.auxiliary: AuxiliaryHead | None = None
        self.auxiliary_weight = macro.auxiliary
        is_first_larger = False
        for position in range(macro.cells):
            is_reduction = position in macro.reductions
            stride = 2 if is_reduction and can_halve(height, width) else 1
            channels *= 2 if is_reduction else 1
            height, width = -(-height // stride), -(-width // stride)
            cell = cells.reduce if is_reduction else cells.normal
            self.cells.append(
                DartsCell(cell, channels, before, stride, is_first_larger=is_first_larger, drop_path=macro.drop_path)
            )
            before, is_first_larger = (before[1], channels * len(cell.nodes)), stride == 2
            if position == self._branch and macro.auxiliary:
                self.auxiliary = AuxiliaryHead(before[1], height, width, outputs)
        self.average = GlobalAverage()
        self.classifier = nn.Linear(before[1], outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs."""
        outputs, _ = self._run(images)
        return outputs

    def outputs_with_auxiliary(self, images: Tensor) -> tuple[Tensor, Sequence[tuple[float, Tensor]]]:
        """Return the outputs, and those of the auxiliary head, if there is one, with their weight."""
        outputs, branched = self._run(images)
        if self.auxiliary is None:
            return outputs, ()
        return outputs, ((self.auxiliary_weight, self.auxiliary(branched)),)

    def _run(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return the outputs, and the images behind the second reduction cell."""
        first = second = branched = self.stem(images)
        for position, cell in enumerate(self.cells):
            first, second = second, cell(first, second)
            if position == self._branch:
                branched = second
        return self.classifier(self.average(second)), branched


def _one_by_one(inputs: int, outputs: int) -> nn.Module:
    return relu_conv_bn(inputs, outputs, 1)


def _operation(edge: Edge, channels: int, stride: int, drop_path: float) -> nn.Module:
    module = OPERATIONS[edge[0]](channels, stride)
    return module if not drop_path or isinstance(module, nn.Identity) else nn.Sequential(module, DropPath(drop_path))
