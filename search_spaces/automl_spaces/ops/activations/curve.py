"""Element-wise functions that keep one tensor for the backward pass, and run piece by piece within the cache.

A composed activation (``x * tanh(softplus(x))``) writes a tensor to memory for every step, and keeps most of them for
the backward pass. A `Curve` keeps its input only and computes the rest anew. On the processor it works through pieces
of `PIECE` elements, whose intermediate results never leave the cache; on other devices in one piece.

The derivative is written by hand (``slope``), or is autograd's of the function, piece by piece. Where someone else must
see through the function, it is the plain composed form: under `torch.func` transforms, `torch.compile`, export and
tracing. Second derivatives go through the composed form too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.overrides import handle_torch_function, has_torch_function

PIECE = 1 << 16
"""Elements of a piece: 256 KiB in float32, so that a handful of them fit the second-level cache."""

Function: TypeAlias = Callable[..., Tensor]
Slope: TypeAlias = Callable[..., "Tensor | tuple[Tensor, ...]"]


class Curve:
    """A function of each element, and of values that are numbers or tensors that broadcast.

    Args:
        name: of the activation.
        function: ``function(x, *values)``, composed of operations that autograd knows.
        slope: ``slope(x, *values)``: the derivative by ``x``, then by each value, if there are any.

    >>> square = Curve("square", lambda x: x * x, lambda x: 2 * x)
    >>> x = torch.tensor([3.0], requires_grad=True)
    >>> square(x).backward()
    >>> x.grad
    tensor([6.])
    """

    def __init__(self, name: str, function: Function, slope: Slope | None = None) -> None:
        self.name = name
        self.function = function
        self.slope = slope

    def __call__(self, x: Tensor, *values: float | Tensor) -> Tensor:
        """Return the function's value at each element."""
        if torch.compiler.is_compiling():
            return self.function(x, *values)
        if has_torch_function((x,)):
            seen: Tensor = handle_torch_function(self, (x,), x, *values)
            return seen
        if _is_watched() or not x.numel():
            return self.function(x, *values)
        result: Tensor = _Recomputed.apply(self, x, *values)  # type: ignore[no-untyped-call]
        return result


class _Recomputed(torch.autograd.Function):
    """A curve of which only the input is kept."""

    @staticmethod
    def forward(ctx: Any, curve: Curve, x: Tensor, *values: float | Tensor) -> Tensor:
        ctx.curve = curve
        ctx.values = [None if isinstance(value, Tensor) else value for value in values]
        ctx.save_for_backward(x, *[value for value in values if isinstance(value, Tensor)])
        if _fits(x):
            return curve.function(x, *values)
        result = torch.empty_like(x, memory_format=torch.contiguous_format)
        for piece, target in _pieces((x, result), values):
            target.copy_(curve.function(piece, *values))
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, *kept = ctx.saved_tensors
        queue = iter(kept)
        values = [next(queue) if value is None else value for value in ctx.values]
        curve, wanted = ctx.curve, ctx.needs_input_grad[1:]
        if torch.is_grad_enabled() or _is_batched(gradients[0]):
            return None, *_composed(curve, gradients[0], x, values, wanted)
        return None, *_by_pieces(curve, gradients[0], x, values, wanted)


def _composed(
    curve: Curve, gradient: Tensor, x: Tensor, values: Sequence[float | Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Return gradients that can be differentiated again, or that are batched."""
    inputs = [x, *values]
    chosen = [one for one, is_wanted in zip(inputs, wanted, strict=True) if is_wanted and isinstance(one, Tensor)]
    with torch.enable_grad():
        result = curve.function(x, *values)
        found = iter(torch.autograd.grad(result, chosen, gradient, create_graph=True, materialize_grads=True))
    return [next(found) if is_wanted else None for is_wanted in wanted]


def _by_pieces(
    curve: Curve, gradient: Tensor, x: Tensor, values: Sequence[float | Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    found = torch.empty_like(x, memory_format=torch.contiguous_format)
    sums: list[Tensor | None] = [None] * len(values)
    pieces = [(x, gradient, found)] if _fits(x) else _pieces((x, gradient, found), values)
    for piece, above, target in pieces:
        for place, one in enumerate(_partials(curve, (piece, above, target), values, wanted)):
            known = sums[place]
            sums[place] = one if known is None or one is None else known + one
    return [found, *sums]


def _partials(
    curve: Curve, piece: tuple[Tensor, ...], values: Sequence[float | Tensor], wanted: Sequence[bool]
) -> list[Tensor | None]:
    """Write the gradient by a piece of the input into the last of ``piece``, and return those by each wanted value."""
    x, gradient, target = piece
    if curve.slope is None:
        with torch.enable_grad():
            inputs = [one.detach().requires_grad_() if isinstance(one, Tensor) else one for one in (x, *values)]
            result = curve.function(*inputs)
            tensors = [one for one in inputs if isinstance(one, Tensor)]
            found = iter(torch.autograd.grad(result, tensors, gradient, materialize_grads=True))
        target.copy_(next(found))
        return [next(found) if isinstance(one, Tensor) else None for one in inputs[1:]]
    slopes = curve.slope(x, *values)
    if isinstance(slopes, Tensor):
        torch.mul(gradient, slopes, out=target)
        return [None] * len(values)
    torch.mul(gradient, slopes[0], out=target)
    return [
        (gradient * one).sum_to_size(value.shape) if is_wanted and isinstance(value, Tensor) else None
        for one, value, is_wanted in zip(slopes[1:], values, wanted[1:], strict=True)
    ]


def _fits(x: Tensor) -> bool:
    return x.device.type != "cpu" or x.numel() <= PIECE


def _pieces(tensors: Sequence[Tensor], values: Sequence[float | Tensor]) -> Iterator[tuple[Tensor, ...]]:
    """Yield views of about `PIECE` elements: of whole examples, where a value belongs to channels."""
    whole = [tensor.contiguous() for tensor in tensors]
    if all(value.dim() == 0 for value in values if isinstance(value, Tensor)):
        return zip(*(torch.split(tensor.view(-1), PIECE) for tensor in whole), strict=True)
    rows = max(1, PIECE * len(whole[0]) // whole[0].numel())
    return zip(*(torch.split(tensor, rows) for tensor in whole), strict=True)


def _is_batched(gradient: Tensor) -> bool:
    """Say whether many gradients are computed at once (``is_grads_batched``), by either form of `vmap`."""
    return torch._C._are_functorch_transforms_active() or "Batched" in str(torch._C._dispatch_keys(gradient))


def _is_watched() -> bool:
    """Say whether something transforms or records what is called, and so must see the operations themselves.

    PyTorch has no public question for the first; `torch.autograd.Function.apply` asks the same one.
    """
    return torch._C._are_functorch_transforms_active() or torch._C._is_tracing()


def negative(x: Tensor) -> Tensor:
    """Return ``min(x, 0)``; its derivative at 0 is 1, and that of `torch.relu` 0: their sum has derivative 1."""
    return x.clamp(max=0)


def is_positive(x: Tensor) -> Tensor:
    """Return 1 where ``x > 0``, else 0. Faster than a comparison, which no processor here does in vectors."""
    return x.sign().clamp(min=0)


def is_negative(x: Tensor) -> Tensor:
    """Return 1 where ``x < 0``, else 0."""
    return x.sign().clamp(max=0).neg()


def safe_exp(x: Tensor, most: float = 40.0) -> Tensor:
    """Return ``exp(min(x, most))``: the exponent is clamped, so that neither value nor gradient overflow.

    In half precision it is clamped at 5 already, whose square is still a number.
    """
    return x.clamp(max=min(most, 5.0) if x.dtype == torch.float16 else most).exp()


def normal_cdf(x: Tensor) -> Tensor:
    """Return Φ(x)."""
    result: Tensor = torch.special.erf(x * math.sqrt(0.5)).add(1).mul(0.5)
    return result
