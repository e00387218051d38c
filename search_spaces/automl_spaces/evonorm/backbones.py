"""Small networks around a normalisation-activation layer: one for each family in which [1] scores layers.

In all of them a layer stands wherever the published network has batch normalisation and an activation; where that has a
normalisation only, after the last convolution of an inverted residual, a channel-wise affine map stands instead. The
networks are shallow and narrow versions for images of 8 to 64 pixels: stages halve the image only while it is large
enough, the stem never does, and there is no wide last convolution.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from torch import Tensor, nn

from automl_spaces.evonorm.compiled import ChannelAffine
from automl_spaces.ops.images import GlobalAverage, can_halve
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from automl import Task

LayerFactory = Callable[[int], nn.Module]

_SQUEEZE = 4


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large a backbone is.

    Attributes:
        width: channels of the first stage; they double from stage to stage.
        depth: blocks of each stage.
        stages: with halved images between them, where `can_halve` allows it.
        expansion: by how much inverted residuals widen; published: 6.

    >>> Sizes(width=8).stages
    3
    """

    width: int = 16
    depth: int = 1
    stages: int = 3
    expansion: int = 3


class MakeBlock(Protocol):
    """What makes one block of a backbone."""

    def __call__(
        self, inputs: int, outputs: int, stride: int, layer: LayerFactory, sizes: Sizes, stage: int
    ) -> nn.Module:
        """Return the block."""


class Residual(nn.Module):
    """The sum of a body and a shortcut; the shortcut is the input where the shapes allow it.

    With ``project``, a 1x1 convolution adapts the shortcut where they do not; without, there then is none.
    """

    def __init__(self, body: nn.Module, inputs: int, outputs: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.body = body
        self.has_shortcut = project or (inputs == outputs and stride == 1)
        self.projection: nn.Module | None = None
        if project and (inputs != outputs or stride != 1):
            self.projection = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the sum."""
        outputs: Tensor = self.body(images)
        if not self.has_shortcut:
            return outputs
        return outputs + (images if self.projection is None else self.projection(images))


class SqueezeExcite(nn.Module):
    """Scale channels by gates that a small network computes from their means.

    >>> import torch
    >>> SqueezeExcite(8, 2)(torch.ones(2, 8, 4, 4)).shape
    torch.Size([2, 8, 4, 4])
    """

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, squeezed, 1),
            nn.SiLU(),
            nn.Conv2d(squeezed, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the scaled images."""
        scaled: Tensor = images * self.gate(images)
        return scaled


def resnet(layer: LayerFactory, task: Task, sizes: Sizes) -> nn.Sequential:
    """Return a pre-activation residual network: blocks of layer, convolution, layer, convolution.

    Raises:
        ConfigurationError: the task's inputs are no images.
    """
    return _network(_preactivation, layer, task, sizes, is_preactivation=True)


def mobilenet(layer: LayerFactory, task: Task, sizes: Sizes) -> nn.Sequential:
    """Return a network of inverted residuals after MobileNetV2.

    Raises:
        ConfigurationError: the task's inputs are no images.
    """
    return _network(_inverted, layer, task, sizes, is_preactivation=False)


def efficientnet(layer: LayerFactory, task: Task, sizes: Sizes) -> nn.Sequential:
    """Return a network after EfficientNet: inverted residuals with squeeze and excitation, and 3x3 or 5x5 kernels.

    Kernels alternate from stage to stage. The gates keep their own activations, as published.

    Raises:
        ConfigurationError: the task's inputs are no images.
    """
    return _network(_gated, layer, task, sizes, is_preactivation=False)


def _network(
    block: MakeBlock, layer: LayerFactory, task: Task, sizes: Sizes, *, is_preactivation: bool
) -> nn.Sequential:
    inputs, height, width = image_shape(task, "evonorm")
    channels = sizes.width
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["stem"] = nn.Conv2d(inputs, channels, 3, padding=1, bias=False)
    if not is_preactivation:
        layers["stem_layer"] = layer(channels)
    for stage in range(sizes.stages):
        outputs, stride = sizes.width * 2**stage, 1
        if stage > 0 and can_halve(height, width):
            stride, height, width = 2, -(-height // 2), -(-width // 2)
        for place in range(sizes.depth):
            made = block(channels, outputs, stride if place == 0 else 1, layer, sizes, stage)
            layers[f"block_{stage}_{place}"] = made
            channels = outputs
    if not is_preactivation:
        layers["head"] = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        channels = 2 * channels
    layers["head_layer"] = layer(channels)
    layers["average"] = GlobalAverage()
    layers["classifier"] = nn.Linear(channels, task.output_size)
    return nn.Sequential(layers)


def _preactivation(inputs: int, outputs: int, stride: int, layer: LayerFactory, sizes: Sizes, stage: int) -> nn.Module:
    body = nn.Sequential(
        layer(inputs),
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        layer(outputs),
        nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
    )
    return Residual(body, inputs, outputs, stride, project=True)


def _inverted(inputs: int, outputs: int, stride: int, layer: LayerFactory, sizes: Sizes, stage: int) -> nn.Module:
    inner = inputs * sizes.expansion
    body = nn.Sequential(*_widened(inputs, inner, 3, stride, layer), *_narrowed(inner, outputs))
    return Residual(body, inputs, outputs, stride, project=False)


def _gated(inputs: int, outputs: int, stride: int, layer: LayerFactory, sizes: Sizes, stage: int) -> nn.Module:
    inner, kernel = inputs * sizes.expansion, 5 if stage % 2 else 3
    gate = SqueezeExcite(inner, max(1, inputs // _SQUEEZE))
    body = nn.Sequential(*_widened(inputs, inner, kernel, stride, layer), gate, *_narrowed(inner, outputs))
    return Residual(body, inputs, outputs, stride, project=False)


def _widened(inputs: int, inner: int, kernel: int, stride: int, layer: LayerFactory) -> list[nn.Module]:
    """Return a 1x1 and a channel-wise convolution, each with its layer."""
    spatial = nn.Conv2d(inner, inner, kernel, stride=stride, padding=kernel // 2, groups=inner, bias=False)
    return [nn.Conv2d(inputs, inner, 1, bias=False), layer(inner), spatial, layer(inner)]


def _narrowed(inner: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inner, outputs, 1, bias=False), ChannelAffine(outputs)]
