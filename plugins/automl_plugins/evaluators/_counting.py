"""Counting the arithmetic of a forward pass: the multiply-accumulates of convolutions and matrix products.

They are counted where they are dispatched, whoever calls them, by the formulas of `torch.utils.flop_counter`. On the
meta device nothing is computed and nothing allocated.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_MADE_LIKE_FIRST: frozenset[Callable[..., Any]] = frozenset(
    {
        functional.batch_norm,
        functional.dropout,
        functional.elu,
        functional.gelu,
        functional.group_norm,
        functional.hardswish,
        functional.layer_norm,
        functional.leaky_relu,
        functional.relu,
        functional.silu,
        torch.relu,
        torch.sigmoid,
        torch.tanh,
    }
)
_ELEMENTWISE: frozenset[Callable[..., Any]] = frozenset(
    {torch.add, torch.mul, Tensor.add, Tensor.add_, Tensor.mul, Tensor.mul_}
)


def multiply_accumulates(run: Callable[[], object], *, on_meta: bool = True) -> int:
    """Return the multiply-accumulates of convolutions and matrix products that ``run`` executes.

    Args:
        run: calls a network in evaluation mode.
        on_meta: whether its tensors are on the meta device. If not, its parameters must require gradients, since
            fused kernels of attention and recurrence, which nobody can look into, take those that do not.
    """
    if on_meta:
        with torch.no_grad(), MultiplyAccumulates() as counter, ShapesOnly():
            run()
    else:
        with torch.enable_grad(), _plain_kernels(), MultiplyAccumulates() as counter:
            run()
    return int(counter.total)


@contextmanager
def _plain_kernels() -> Iterator[None]:
    """Let attention and recurrence be matrix products: fused kernels of theirs have no formula."""
    with ExitStack() as stack:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # It also sets a property of GPUs that may be absent, and says so.
            stack.enter_context(torch.backends.mkldnn.flags(enabled=False))
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class MultiplyAccumulates(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiply-accumulates of all dispatched convolutions and matrix products."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        output = func(*args, **named)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **named, out_val=output) // 2
        return output


class ShapesOnly(TorchFunctionMode):
    """Answers functions that keep the shape of their first argument with that argument.

    On the meta device these go through reference implementations in Python, which take up to a hundred times
    as long as a convolution. Nothing reads the values, so a tensor of the right shape and type is as good.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if args and func in _MADE_LIKE_FIRST:
            return args[0]
        if func in _ELEMENTWISE and len(args) == 2 and not kwargs and _is_alike(args[0], args[1]):
            return args[0]
        return func(*args, **(kwargs or {}))


def _is_alike(first: object, second: object) -> bool:
    if not isinstance(first, Tensor) or not isinstance(second, Tensor):
        return False
    return first.shape == second.shape and first.dtype == second.dtype
