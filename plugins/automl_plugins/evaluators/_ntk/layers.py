"""Per-example gradients of single layers, from a layer's input and the gradient at its output.

A rule yields, for each parameter of a module, rows `(examples × cotangents, columns)`: the gradient of each example,
its entries in any order that is the same for all examples, perhaps in several pieces. Rules that can take several
cotangents at once (`takes_many`) see them as further output features, so that what is made of the input is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from automl_plugins.evaluators._ntk.convolution import ROWS, convolution_rows, transposed_rows

Pieces: TypeAlias = Iterator[tuple[str, Tensor]]
Rule: TypeAlias = Callable[[Any, "LayerInput", Tensor], Pieces]

# Means of so many standard deviations are taken off before products are summed, or digits would be lost.
_FAR_FROM_ZERO = 16.0

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


@dataclass(frozen=True, slots=True)
class LayerInput:
    """What a layer was given, examples along the first axis, and what else its rule must know.

    Attributes:
        value: `(examples, ...)`.
        mean: of batch normalisation, per channel.
        inverse_deviation: of batch normalisation, per channel.
    """

    value: Tensor
    mean: Tensor | None = None
    inverse_deviation: Tensor | None = None


def is_supported(module: nn.Module) -> bool:
    """Return whether there is a rule for a module of exactly this type and these options."""
    if type(module) not in RULES:
        return False
    if isinstance(module, nn.Embedding):
        return module.max_norm is None and not module.scale_grad_by_freq
    if isinstance(module, _TRANSPOSED):
        return module.groups == 1
    return not (isinstance(module, _INSTANCE_NORMS) and module.track_running_stats)


def takes_many(module: nn.Module) -> bool:
    """Return whether several cotangents may be joined along the output features."""
    return type(module) is nn.Linear or (isinstance(module, _CONVOLUTIONS) and module.groups == 1)


def joined(module: nn.Module, gradients: list[Tensor]) -> Tensor:
    """Return cotangents joined along the output features of ``module``, which `takes_many`."""
    return torch.cat(gradients, dim=-1 if type(module) is nn.Linear else 1)


def linear_products(given: LayerInput, gradient: Tensor, cotangents: int, *, has_bias: bool) -> Tensor | None:
    """Return products of a linear layer's gradients without forming these, or ``None`` where forming is cheaper.

    With inputs a and output gradients b, ⟨Σ_l b_l aᵀ_l, Σ_k b'_k a'ᵀ_k⟩ = Σ_{l,k} ⟨a_l, a'_k⟩ ⟨b_l, b'_k⟩ [1]. For N
    rows with L positions, D inputs and O outputs that costs N² L² (D + O) against N L D O + N² D O.

    [1] Goodfellow. Efficient per-example gradient computations. 2015.
    """
    inputs, outputs = given.value.flatten(1, -2), gradient.flatten(1, -2)
    count, positions, width = inputs.shape
    rows, features = count * cotangents, outputs.shape[-1] // cotangents
    ghost = positions**2 * (count**2 * width + rows**2 * features)
    formed = rows * positions * width * features + rows**2 * width * features
    if ghost > formed or (rows * positions) ** 2 > 64 * 2**20:
        return None
    inputs = inputs.double()
    outputs = outputs.double().reshape(count, positions, cotangents, features).permute(0, 2, 1, 3)
    first = inputs.reshape(count * positions, width)
    second = outputs.reshape(rows * positions, features)
    near = (first @ first.T).reshape(count, 1, positions, count, 1, positions) + float(has_bias)
    far = (second @ second.T).reshape(count, cotangents, positions, count, cotangents, positions)
    return (near * far).sum((2, 5)).reshape(rows, rows)


def _linear(module: nn.Linear, given: LayerInput, gradient: Tensor) -> Pieces:
    inputs, outputs = given.value, gradient
    if inputs.ndim == 2:
        inputs, outputs = inputs[:, None], outputs[:, None]
    inputs, outputs = inputs.flatten(1, -2), outputs.flatten(1, -2)
    # As with convolutions, a piece holds all cotangents of some of the features.
    split = outputs.reshape(*outputs.shape[:2], -1, module.out_features)
    pieces = min(module.out_features, -(-outputs[:, 0].numel() * module.in_features // ROWS))
    for part in split.chunk(pieces, 3) if pieces > 1 else (split,):
        yield "weight", part.flatten(2).transpose(1, 2) @ inputs
    yield "bias", outputs.sum(1)


def _convolution(module: Any, given: LayerInput, gradient: Tensor) -> Pieces:
    for piece in convolution_rows(module, given.value, gradient):
        yield "weight", piece
    yield "bias", gradient.flatten(2).sum(2)


def _transposed(module: Any, given: LayerInput, gradient: Tensor) -> Pieces:
    yield "weight", transposed_rows(module, given.value, gradient)
    yield "bias", gradient.flatten(2).sum(2)


def _batch_norm(module: Any, given: LayerInput, gradient: Tensor) -> Pieces:
    assert given.mean is not None
    assert given.inverse_deviation is not None
    shape = (1, -1) + (1,) * (given.value.ndim - 2)
    axes = tuple(range(2, gradient.ndim))
    total = gradient.sum(axes) if axes else gradient
    if float((given.mean.abs() * given.inverse_deviation).max()) < _FAR_FROM_ZERO:
        products = given.value * gradient
        weighted = (products.sum(axes) if axes else products) - given.mean * total
    else:
        centred = (given.value - given.mean.reshape(shape)).mul_(gradient)
        weighted = centred.sum(axes) if axes else centred
    yield "weight", weighted * given.inverse_deviation
    yield "bias", total


def _channel_norm(module: Any, given: LayerInput, gradient: Tensor) -> Pieces:
    if isinstance(module, nn.GroupNorm):
        normal = functional.group_norm(given.value, module.num_groups, eps=module.eps)
    else:
        normal = functional.instance_norm(given.value, eps=module.eps)
    yield "weight", (normal * gradient).flatten(2).sum(2)
    yield "bias", gradient.flatten(2).sum(2)


def _layer_norm(module: Any, given: LayerInput, gradient: Tensor) -> Pieces:
    shape = tuple(module.normalized_shape)
    if isinstance(module, nn.LayerNorm):
        normal = functional.layer_norm(given.value, shape, eps=module.eps)
    else:
        normal = functional.rms_norm(given.value, shape, eps=module.eps)
    count = len(gradient)
    yield "weight", (normal * gradient).reshape(count, -1, *shape).sum(1)
    yield "bias", gradient.reshape(count, -1, *shape).sum(1)


def _embedding(module: nn.Embedding, given: LayerInput, gradient: Tensor) -> Pieces:
    """Only rows of tokens that occur: all others are zero for every example."""
    count, width = len(gradient), gradient.shape[-1]
    tokens, outputs = given.value.reshape(count, -1), gradient.reshape(count, -1, width)
    if module.padding_idx is not None:
        outputs = outputs * (tokens != module.padding_idx)[..., None]
    found, places = torch.unique(tokens, return_inverse=True)
    rows = outputs.new_zeros(count, len(found), width)
    rows.scatter_add_(1, places[..., None].expand_as(outputs), outputs)
    yield "weight", rows


def _prelu(module: nn.PReLU, given: LayerInput, gradient: Tensor) -> Pieces:
    products = given.value.clamp_max(0) * gradient
    if module.num_parameters == 1:
        yield "weight", products.flatten(1).sum(1)
    else:
        yield "weight", products.flatten(2).sum(2) if products.ndim > 2 else products


RULES: dict[type[nn.Module], Rule] = {
    nn.Linear: _linear,
    nn.Embedding: _embedding,
    nn.LayerNorm: _layer_norm,
    nn.RMSNorm: _layer_norm,
    nn.GroupNorm: _channel_norm,
    nn.PReLU: _prelu,
    **dict.fromkeys(_CONVOLUTIONS, _convolution),
    **dict.fromkeys(_TRANSPOSED, _transposed),
    **dict.fromkeys(BATCH_NORMS, _batch_norm),
    **dict.fromkeys(_INSTANCE_NORMS, _channel_norm),
}


def layer_rows(
    module: nn.Module, given: LayerInput, gradient: Tensor, cotangents: int, wanted: Collection[str]
) -> Pieces:
    """Yield a parameter's attribute and rows `(examples × cotangents, columns)`, for parameters in ``wanted``."""
    rows = len(gradient) * cotangents
    for attribute, piece in RULES[type(module)](module, given, gradient):
        if attribute in wanted:
            yield attribute, piece.reshape(rows, -1)


def is_in_layout_of_parameter(module: nn.Module, attribute: str) -> bool:
    """Return whether rows of a parameter have the parameter's own layout, so that those of two modules can be added."""
    return type(module) in (nn.Linear, nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, *BATCH_NORMS) or attribute == "bias"
