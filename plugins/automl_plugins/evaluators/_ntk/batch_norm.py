"""Batch normalisation by the statistics of the batch, as constants: forward and fixed in one pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_plugins.evaluators._ntk.layers import LayerInput


class _FrozenBatchNorm(torch.autograd.Function):
    """Normalises by the statistics of the input; the gradient is that of an affine map."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, module: Any) -> tuple[Tensor, Tensor, Tensor]:
        made = torch.native_batch_norm(inputs, module.weight, module.bias, None, None, True, 0.0, module.eps)
        outputs, mean, inverse_deviation = made
        weight = module.weight
        ctx.scale = inverse_deviation if weight is None else inverse_deviation * weight.detach()
        ctx.mark_non_differentiable(mean, inverse_deviation)
        return outputs, mean, inverse_deviation

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Any) -> tuple[Tensor, None]:
        return gradient * ctx.scale.to(gradient.dtype).reshape(1, -1, *(1,) * (gradient.ndim - 2)), None


def frozen_batch_norm(module: nn.Module, inputs: Tensor) -> tuple[Tensor, LayerInput]:
    """Return the outputs, whose graph takes the statistics as constants, and the input with its statistics."""
    outputs, mean, inverse_deviation = _FrozenBatchNorm.apply(inputs, module)  # type: ignore[no-untyped-call]
    return outputs, LayerInput(inputs.detach(), mean, inverse_deviation)


def normalised(module: Any, inputs: Tensor, known: LayerInput) -> Tensor:
    """Return the outputs for other inputs with statistics that are known already."""
    assert known.mean is not None
    assert known.inverse_deviation is not None
    # So that the variance is all that is divided by.
    variance = known.inverse_deviation.square().reciprocal()
    return functional.batch_norm(inputs, known.mean, variance, module.weight, module.bias, eps=0.0)
