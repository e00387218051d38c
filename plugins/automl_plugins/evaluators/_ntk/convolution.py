"""Per-example weight gradients of convolutions, as matrix products on patches of the input.

The input is laid out with channels last and padded, so that the patches along the last axis of a row, `(kernel ×
channels)` numbers, are contiguous. This and the copying of patches is done for a few examples at a time, so that they
stay in the cache, where they are multiplied by the output gradients of these examples. In two dimensions with stride 1
along the first axis, patches are formed along the second axis only, and each row of the kernel is a product with
shifted patches.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Numbers in the patches that are copied at a time: about half of a core's cache on a CPU.
_PATCHES = {"cpu": 2**18}
_MANY_PATCHES = 2**26
# Numbers in the gradients that are formed at a time.
ROWS = 2**25


def convolution_rows(module: Any, inputs: Tensor, gradient: Tensor) -> Iterator[Tensor]:
    """Yield pieces of per-example gradients of a convolution's weight.

    Args:
        module: a `Conv1d`, `Conv2d` or `Conv3d`.
        inputs: `(examples, channels, *space)`.
        gradient: at the output, `(examples, cotangents × features, *out)`.

    Yields:
        `(examples, features of the piece, ...)`.
    """
    pads = _pads(module)
    if module.padding_mode != "zeros" and any(pads):
        inputs, pads = functional.pad(inputs, pads, mode=module.padding_mode), [0] * len(pads)
    columns = math.prod(module.kernel_size) * inputs.shape[1] // module.groups
    total = len(inputs) * gradient.shape[1] * columns
    # A piece holds all cotangents of an example's features, or rows of different cotangents would not meet.
    features = module.out_channels
    pieces = min(features, math.ceil(total / ROWS)) if module.groups == 1 else 1
    cotangents = gradient.shape[1] // features
    split = gradient.reshape(len(gradient), cotangents, features, *gradient.shape[2:])
    for part in split.chunk(pieces, 2) if pieces > 1 else (split,):
        yield from _products(inputs, pads, part.flatten(1, 2), module)


def transposed_rows(module: Any, inputs: Tensor, gradient: Tensor) -> Tensor:
    """Return per-example gradients of a transposed convolution's weight: inputs and gradients change places."""
    pads = [amount for amount in reversed(module.padding) for _ in (0, 1)]
    return torch.cat([piece.flatten(1) for piece in _products(gradient, pads, inputs, module, is_shifted=False)], 1)


def _pads(module: Any) -> list[int]:
    """Return the padding in the form of `torch.nn.functional.pad`: last axis first, before and after."""
    if module.padding == "valid":
        return [0, 0] * len(module.kernel_size)
    if module.padding == "same":
        totals = [d * (k - 1) for d, k in zip(module.dilation, module.kernel_size, strict=True)]
        return [amount for total in reversed(totals) for amount in (total // 2, total - total // 2)]
    return [amount for amount in reversed(module.padding) for _ in (0, 1)]


def _products(
    inputs: Tensor, pads: list[int], gradient: Tensor, module: Any, *, is_shifted: bool = True
) -> Iterator[Tensor]:
    """Yield gradients `(examples, features, columns)`, a piece for each row of the kernel where rows are shifted."""
    count, features = gradient.shape[:2]
    out = gradient.shape[2:]
    outputs = gradient.movedim(1, -1).reshape(count, -1, features)
    is_shifted = is_shifted and len(out) == 2 and module.groups == 1 and module.stride[0] == 1
    first = 1 if is_shifted else 0
    columns = math.prod(module.kernel_size[first:]) * inputs.shape[1]
    starts = [i * module.dilation[0] * out[1] for i in range(module.kernel_size[0])] if is_shifted else [0]
    positions = math.prod(out)
    made = [inputs.new_empty(count, features, columns // module.groups) for _ in starts]
    done = 0
    per_example = (inputs.shape[2] + pads[-2] + pads[-1] if is_shifted else out[0]) * math.prod(out[1:]) * columns
    size = max(1, _PATCHES.get(inputs.device.type, _MANY_PATCHES) // per_example)
    for padded in _padded(inputs, pads, min(size, count)):
        these = slice(done, done + len(padded))
        copied = _patches(padded, out, module, first).reshape(len(padded), -1, columns)
        for whole, shift in zip(made, starts, strict=True):
            moved = copied[:, shift : shift + positions]
            _multiply(outputs[these], moved, module.groups, inputs.shape[1], whole[these])
        done += len(padded)
    yield from made


def _padded(inputs: Tensor, pads: list[int], size: int) -> Iterator[Tensor]:
    """Yield inputs with zeros around and channels last, `(examples, *space, channels)`, ``size`` examples at a time.

    All lie in the same place: each is overwritten by the next.
    """
    last = inputs.movedim(1, -1)
    if not any(pads):
        last = last.contiguous()
        yield from (last[start : start + size] for start in range(0, len(last), size))
        return
    around = list(zip(pads[-2::-2], pads[::-2], strict=True))
    space = [before + length + after for length, (before, after) in zip(inputs.shape[2:], around, strict=True)]
    place = last.new_zeros(size, *space, last.shape[-1])
    inner = place[(slice(None), *(slice(b, b + n) for n, (b, _) in zip(inputs.shape[2:], around, strict=True)))]
    for start in range(0, len(last), size):
        part = last[start : start + size]
        inner[: len(part)].copy_(part)
        yield place[: len(part)]


def _patches(padded: Tensor, out: tuple[int, ...], module: Any, first: int) -> Tensor:
    """Return a view of all patches that the kernel sees along the spatial axes from ``first`` on.

    Shape: `(examples, *whole axes, *out axes, *kernel axes, channels)`.
    """
    strides, axes = padded.stride(), range(first, len(out))
    shape = [*padded.shape[: 1 + first], *(out[a] for a in axes), *(module.kernel_size[a] for a in axes)]
    steps = [
        *strides[: 1 + first],
        *(strides[1 + a] * module.stride[a] for a in axes),
        *(strides[1 + a] * module.dilation[a] for a in axes),
    ]
    return padded.as_strided((*shape, padded.shape[-1]), (*steps, strides[-1]), padded.storage_offset())


def _multiply(outputs: Tensor, patches: Tensor, groups: int, channels: int, into: Tensor) -> None:
    """Multiply `(examples, positions, features)` and `(examples, positions, kernel × channels)` over positions."""
    if groups == 1:
        torch.bmm(outputs.transpose(1, 2), patches, out=into)
        return
    count, positions, features = outputs.shape
    grouped = outputs.reshape(count, positions, groups, -1).permute(0, 2, 3, 1)
    columns = patches.reshape(count, positions, -1, groups, channels // groups).permute(0, 3, 1, 2, 4)
    into.copy_((grouped @ columns.flatten(3)).reshape(count, features, -1))
