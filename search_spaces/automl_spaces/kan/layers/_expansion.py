"""Hand-written expansions: fast forward and backward, and everything above the first derivative from the definition.

A kernel writes a basis twice: as a plain formula that PyTorch can differentiate, and as code in place for values and
for the first backward pass. The two autograd functions below make one expansion of them, that `torch.func` can map
over and that can be differentiated as often as wanted. Rows are taken in blocks that stay in the processor's cache.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

_BLOCK_BYTES = 1 << 19
"""Expanded values of one block; a handful of such blocks fit the second cache of today's processors."""


class Kernel(ABC):
    """One basis without trainable parameters: `(rows, inputs)` to `(rows, size, inputs)`.

    Contract: ``plain`` is the definition, takes any leading axes, and is differentiable; ``fill`` and ``pull`` agree
    with it to rounding, write only to the tensors that they are given to write to, and never see a graph.
    """

    needs_values: ClassVar[bool] = False
    """Whether ``pull`` wants the values, which costs no memory where a product keeps them anyway."""

    size: int

    @abstractmethod
    def plain(self, x: Tensor) -> Tensor:
        """Return the values, `(..., size, inputs)`, of ``x``, `(..., inputs)`."""

    @abstractmethod
    def fill(self, out: Tensor, x: Tensor) -> None:
        """Write the values of ``x``, `(rows, inputs)`, to ``out``, `(rows, size, inputs)`."""

    @abstractmethod
    def pull(self, out: Tensor, gradient: Tensor, x: Tensor, values: Tensor | None) -> None:
        """Write the sum over the basis of ``gradient`` times derivative to ``out``, `(rows, inputs)`."""


def expand(kernel: Kernel, x: Tensor) -> Tensor:
    """Return the values of the basis, `(..., size, inputs)`, of ``x``, `(..., inputs)`.

    A program that is being exported or compiled gets the plain formula, which holds for every number of rows.
    """
    return kernel.plain(x) if torch.compiler.is_compiling() else _applied(_Expansion, x, kernel)


class _Expansion(torch.autograd.Function):
    """Values of a basis."""

    @staticmethod
    def forward(x: Tensor, kernel: Kernel) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = rows.new_empty(len(rows), kernel.size, rows.shape[1])
        for block in _blocks(rows, kernel.size):
            kernel.fill(out[block], rows[block])
        return out.view(*x.shape[:-1], kernel.size, x.shape[-1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Kernel], output: Tensor) -> None:
        x, ctx.kernel = inputs
        ctx.save_for_backward(x, output if ctx.kernel.needs_values else None)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, values = ctx.saved_tensors
        if torch._C._functorch.is_legacy_batchedtensor(gradient):  # `is_grads_batched`, which asks for no rule
            with torch.enable_grad():
                again = x.detach().requires_grad_()
                return torch.autograd.grad(ctx.kernel.plain(again), again, gradient)[0], None
        if torch.is_grad_enabled() or torch._C._are_functorch_transforms_active():
            return _applied(_Pullback, gradient, x, values, ctx.kernel), None
        return _Pullback.forward(gradient, x, values, ctx.kernel), None  # the usual pass, spared one more function

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: None) -> Tensor:
        (x,) = ctx.saved_tensors
        return cast(Tensor, torch.func.jvp(ctx.kernel.plain, (x,), (tangent,))[1])

    @staticmethod
    def vmap(info: Any, in_dims: Any, x: Tensor, kernel: Kernel) -> tuple[Tensor, int]:
        return _applied(_Expansion, x.movedim(in_dims[0], 0), kernel), 0


class _Pullback(torch.autograd.Function):
    """The backward pass of `_Expansion`; its own comes from the plain formula."""

    @staticmethod
    def forward(gradient: Tensor, x: Tensor, values: Tensor | None, kernel: Kernel) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        gradients = gradient.reshape(-1, kernel.size, x.shape[-1])
        known = None if values is None else values.reshape(gradients.shape)
        out = torch.empty_like(rows, memory_format=torch.contiguous_format)
        for block in _blocks(rows, kernel.size):
            kernel.pull(out[block], gradients[block], rows[block], None if known is None else known[block])
        return out.view(x.shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None, Kernel], output: Tensor) -> None:
        gradient, x, _, ctx.kernel = inputs
        ctx.save_for_backward(gradient, x)
        ctx.save_for_forward(gradient, x)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor) -> tuple[Tensor, Tensor, None, None]:
        back = torch.func.vjp(_plainly(ctx.kernel), *ctx.saved_tensors)[1]
        by_gradient, by_x = back(cotangent)
        return by_gradient, by_x, None, None

    @staticmethod
    def jvp(ctx: Any, by_gradient: Tensor | None, by_x: Tensor | None, _: Tensor | None, __: None) -> Tensor:
        points = ctx.saved_tensors
        pairs = zip((by_gradient, by_x), points, strict=True)
        tangents = tuple(torch.zeros_like(point) if each is None else each for each, point in pairs)
        return cast(Tensor, torch.func.jvp(_plainly(ctx.kernel), points, tangents)[1])

    @staticmethod
    def vmap(
        info: Any, in_dims: Any, gradient: Tensor, x: Tensor, values: Tensor | None, kernel: Kernel
    ) -> tuple[Tensor, int]:
        mapped = [
            each if each is None else _leading(each, axis, info.batch_size)
            for each, axis in zip((gradient, x, values), in_dims, strict=False)
        ]
        return _applied(_Pullback, *mapped, kernel), 0


def _applied(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    return cast(Tensor, function.apply(*arguments))  # type: ignore[no-untyped-call]


def _keep_signature(function: type[torch.autograd.Function]) -> None:
    """Spare each call the look-up of a signature: PyTorch binds arguments to it, which outlasts many a kernel."""
    function.forward.__signature__ = inspect.signature(function.forward)  # type: ignore[attr-defined]


_keep_signature(_Expansion)
_keep_signature(_Pullback)


def _plainly(kernel: Kernel) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the pullback by the definition, which can be differentiated."""

    def pulled(gradient: Tensor, x: Tensor) -> Tensor:
        return cast(Tensor, torch.func.vjp(kernel.plain, x)[1](gradient)[0])

    return pulled


def _leading(tensor: Tensor, axis: int | None, size: int) -> Tensor:
    """Return ``tensor`` with the mapped axis first; one that is not mapped is repeated, without a copy."""
    return tensor.expand(size, *tensor.shape) if axis is None else tensor.movedim(axis, 0)


def _blocks(rows: Tensor, size: int) -> Iterator[slice]:
    """Yield slices of the rows; all of them where there is no cache to mind."""
    count = len(rows)
    step = max(1, _BLOCK_BYTES // (rows.element_size() * size * max(1, rows.shape[1])))
    if rows.device.type != "cpu" or 2 * step >= count:
        step = max(1, count)
    for start in range(0, count, step):
        yield slice(start, start + step)
