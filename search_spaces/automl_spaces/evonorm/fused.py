"""The larger of two tensors and their quotient, with backward passes that cost what they compute.

PyTorch's own spend most of the time of a layer on masks of booleans and on dividing twice. Both are differentiable
twice, and run under ``torch.func.vmap``.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


def keep_signature(function: type[Function]) -> type[Function]:
    """Return ``function`` with the signature of its ``forward`` at hand.

    ``Function.apply`` asks for it at every call (PyTorch 2.13, ``bind_default_args``), and working it out takes longer
    than a pass over a small image.
    """
    function.forward.__signature__ = inspect.signature(function.forward)  # type: ignore[attr-defined]
    return function


@keep_signature
class _Maximum(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(one: Tensor, other: Tensor) -> Tensor:
        return torch.maximum(one, other)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        one, other = ctx.saved_tensors
        to_one = torch.ops.aten.threshold_backward(gradient, (one - other).detach(), 0)
        return to_one.sum_to_size(one.shape), (gradient - to_one).sum_to_size(other.shape)


@keep_signature
class _Quotient(Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(numerator: Tensor, divisor: Tensor) -> Tensor:
        return numerator / divisor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], inputs[1], output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor]:
        numerator, divisor, quotient = ctx.saved_tensors
        to_numerator = gradient / divisor
        to_divisor = -(to_numerator * quotient).sum_to_size(divisor.shape)
        return to_numerator.sum_to_size(numerator.shape), to_divisor


def maximum(one: Tensor, other: Tensor) -> Tensor:
    """Return the larger entries of tensors that broadcast; where both are equal, the gradient goes to ``other``."""
    result: Tensor = _Maximum.apply(one, other)  # type: ignore[no-untyped-call]
    return result


def quotient(numerator: Tensor, divisor: Tensor) -> Tensor:
    """Return the quotient of tensors that broadcast."""
    result: Tensor = _Quotient.apply(numerator, divisor)  # type: ignore[no-untyped-call]
    return result
