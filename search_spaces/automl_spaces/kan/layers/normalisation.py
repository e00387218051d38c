"""Normalisation before the basis and after the sum.

Bounded families see [-1, 1] whatever comes before: ``none`` clips, ``layer_norm`` is followed by tanh, ``tanh`` and
``min_max`` end there by themselves. So no choice of a search can make a polynomial of degree 8 explode.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from automl_spaces.kan.layers.basis import Before, Family

After: TypeAlias = Literal["none", "batch_norm", "layer_norm"]

FEW_INPUTS = 4
"""Below this layer normalisation leaves next to nothing of the inputs (of two, one sign), and is not a default."""

_SPREAD = 3.0
"""Extremes that `MinMax` starts from: three standard deviations of standardised inputs."""


class MinMax(nn.Module):
    """Maps running extremes of each input to [-1, 1], and clips.

    In training mode they follow those of the batches; the output depends on the running ones alone, so that training
    and test agree and examples do not meet.

    Attributes:
        low: `(inputs,)`; ``high`` alike.
    """

    low: Tensor
    high: Tensor

    def __init__(self, inputs: int, axis: int, momentum: float = 0.1) -> None:
        super().__init__()
        self.axis, self.momentum = axis, momentum
        self.register_buffer("low", torch.full((inputs,), -_SPREAD))
        self.register_buffer("high", torch.full((inputs,), _SPREAD))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                rows = x.detach().movedim(self.axis, -1).flatten(0, -2)
                self.low.lerp_(rows.amin(0), self.momentum)
                self.high.lerp_(rows.amax(0), self.momentum)
        width = (self.high - self.low).clamp_min(1e-6)
        shape = [-1] + [1] * (x.ndim - 1 - self.axis % x.ndim)
        return (2.0 * (x - self.low.view(shape)) / width.view(shape) - 1.0).clamp(-1.0, 1.0)


def default_before(family: Family, inputs: int) -> Before:
    """Return the normalisation that suits ``family``; layer normalisation only of enough inputs."""
    if family.before == "layer_norm" and inputs < FEW_INPUTS:
        return "none"
    return family.before


def make_before(kind: Before, inputs: int, *, is_bounded: bool, is_image: bool = False) -> nn.Module:
    """Return the module in front of a basis; of images, layer normalisation is over channels and pixels."""
    if kind == "tanh":
        return nn.Tanh()
    if kind == "min_max":
        return MinMax(inputs, 1 if is_image else -1)
    if kind == "layer_norm":
        norm = nn.GroupNorm(1, inputs) if is_image else nn.LayerNorm(inputs)
        return nn.Sequential(norm, nn.Tanh()) if is_bounded else norm
    return nn.Hardtanh() if is_bounded else nn.Identity()


def make_after(kind: After, outputs: int, *, is_image: bool = False) -> nn.Module:
    """Return the module behind the sum."""
    if kind == "batch_norm":
        return nn.BatchNorm2d(outputs) if is_image else nn.BatchNorm1d(outputs)
    if kind == "layer_norm":
        return nn.GroupNorm(1, outputs) if is_image else nn.LayerNorm(outputs)
    return nn.Identity()


def apply_after(after: nn.Module, summed: Tensor) -> Tensor:
    """Return what ``after`` makes of the sum; batch normalisation is of rows, whatever the leading axes."""
    if isinstance(after, nn.BatchNorm1d) and summed.ndim > 2:
        rows: Tensor = after(summed.flatten(0, -2))
        return rows.view(summed.shape)
    made: Tensor = after(summed)
    return made


def add_bias(summed: Tensor, bias: Tensor | None, *, is_image: bool) -> Tensor:
    """Return the sum with a bias for each output, or channel."""
    if bias is None:
        return summed
    return summed + (bias.view(-1, 1, 1) if is_image else bias)


def as_function(kind: Before, x: Tensor, *, is_bounded: bool) -> Tensor:
    """Return what a fresh `make_before` does to a standard normal input, as a function of one variable."""
    if kind == "tanh" or (kind == "layer_norm" and is_bounded):
        return torch.tanh(x)
    if kind == "min_max":
        return (x / _SPREAD).clamp(-1.0, 1.0)
    return x.clamp(-1.0, 1.0) if kind == "none" and is_bounded else x
