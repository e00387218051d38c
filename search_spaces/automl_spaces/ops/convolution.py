"""Convolutions with batch normalisation.

Convolutions keep the size of the image at stride 1, and have no bias, since batch normalisation adds one.
"""

from __future__ import annotations

from torch import nn

from automl_spaces.ops import activations
from automl_spaces.ops.activations.choice import DEFAULT


def conv_bn(inputs: int, outputs: int, kernel: int, *, stride: int = 1, momentum: float = 0.1) -> nn.Sequential:
    """Return a ``kernel`` by ``kernel`` convolution, then batch normalisation.

    Args:
        inputs: channels in.
        outputs: channels out.
        kernel: side of the kernel, odd.
        stride: the image's sides are divided by it, rounded up.
        momentum: weight of the newest batch in the running statistics.
    """
    convolution = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, momentum=momentum))


def conv_bn_relu(
    inputs: int, outputs: int, kernel: int, *, momentum: float = 0.1, activation: str = DEFAULT
) -> nn.Sequential:
    """Return a ``kernel`` by ``kernel`` convolution, batch normalisation and ReLU, or another activation."""
    return conv_bn(inputs, outputs, kernel, momentum=momentum).append(activation_of(outputs, activation, inplace=True))


def relu_conv_bn(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, activation: str = DEFAULT
) -> nn.Sequential:
    """Return ReLU, or another activation, a convolution and batch normalisation; the input is kept."""
    return nn.Sequential(activation_of(inputs, activation), *conv_bn(inputs, outputs, kernel, stride=stride))


def activation_of(channels: int, name: str = DEFAULT, *, inplace: bool = False) -> nn.Module:
    """Return the activation of ``channels`` channels; ``inplace`` only where it is ReLU."""
    return nn.ReLU(inplace=inplace) if name == DEFAULT else activations.make(name, channels)
