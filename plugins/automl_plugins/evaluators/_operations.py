"""Counting all arithmetic of a forward pass, by the rule of [1], at which networks of unlike layers can be compared.

An elementary operation on one value is 1: a sum, a product, an exponential, a comparison. A multiply-accumulate is 2.
Functions that PyTorch computes at once count as written out: ReLU 1, sigmoid 4, SiLU 5, tanh 6, GELU 14 [1], others by
the table below. Batch normalisation is a factor and a summand, 2; normalisations that look at the example itself are 8.
A reduction is 1 for each value that goes in, pooling 1 for each value in each window. Moving values is free.

Operations are counted where they are dispatched, so that whatever a network does is seen. But how a function is put
together may have been chosen for speed; a module that knows better has a method ``count_operations(shape)``, which
takes the shape of its input, batch and all, and returns what a forward pass of the module with all its parts costs by
this rule. Nothing within it is then counted.

[1] Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674, and its code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_POINTWISE = {
    "gelu": 14,
    "mish": 10,
    "tanh": 6,
    "silu": 5,
    "sigmoid": 4,
    "hardswish": 4,
    "log_sigmoid_forward": 4,
    "elu": 3,
    "hardsigmoid": 3,
    "softplus": 3,
    "leaky_relu": 2,
    "_prelu_kernel": 2,
    "hardtanh": 2,
    "clamp": 2,
}
_FREE = frozenset({"clone", "copy", "_to_copy", "fill", "zero", "zeros_like", "ones_like"})
_NORMALISED = {
    "native_batch_norm": 2,
    "_native_batch_norm_legit": 2,
    "_native_batch_norm_legit_no_training": 2,
    "cudnn_batch_norm": 2,
    "miopen_batch_norm": 2,
    "native_layer_norm": 8,
    "native_group_norm": 8,
}
_REDUCED = frozenset({"sum", "mean", "amax", "amin", "prod"})
_WITH_BIAS = {"addmm": 0, "baddbmm": 0, "convolution": 2, "_convolution": 2}
"""Where the summand stands among the arguments."""
_POOLED = frozenset({"max_pool2d_with_indices", "avg_pool2d"})


@runtime_checkable
class Declares(Protocol):
    """A module that knows its own operations."""

    def count_operations(self, shape: tuple[int, ...]) -> int:
        """Return the operations of a forward pass on an input of ``shape``."""


def operations(network: nn.Module, example: Tensor) -> int:
    """Return the operations of ``network(example)``; ``network`` is in evaluation mode and is given hooks to keep."""
    with torch.no_grad(), Operations() as counter:
        for module in network.modules():
            if isinstance(module, Declares):
                module.register_forward_pre_hook(counter.enter)
                module.register_forward_hook(counter.leave)
        network(example)
    return int(counter.total)


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of all that is dispatched, but within a module that knows its own."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: int = 0
        self._depth = 0

    def enter(self, module: nn.Module, inputs: tuple[Any, ...]) -> None:
        """Stop counting: a hook before the forward pass of a module that knows better."""
        self._depth += 1

    def leave(self, module: nn.Module, inputs: tuple[Any, ...], output: object) -> None:
        """Add what the module says, unless one around it will."""
        self._depth -= 1
        if self._depth == 0 and isinstance(module, Declares):
            self.total += module.count_operations(tuple(inputs[0].shape))

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        output = func(*args, **named)
        if self._depth == 0:
            self.total += _operations(func, args, named, output)
        return output


def _operations(func: Any, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> int:
    """Return the operations of one dispatched function."""
    name = func._schema.name.removeprefix("aten::").removesuffix("_")
    formula: Callable[..., int] | None = flop_registry.get(func._overloadpacket)
    if formula is not None:
        count = int(formula(*args, **named, out_val=output))
        place = _WITH_BIAS.get(name)
        has_bias = place is not None and len(args) > place and isinstance(args[place], Tensor)
        return count + int(output.numel()) * has_bias
    if name in _NORMALISED:
        return _NORMALISED[name] * int(args[0].numel())
    if name in _REDUCED:
        return int(args[0].numel())
    if name in _POOLED:
        first = output[0] if isinstance(output, tuple) else output
        sides = args[1] if isinstance(args[1], list | tuple) else [args[1]]
        area: int = math.prod(sides) if len(sides) == 2 else sides[0] ** 2
        return int(first.numel()) * area
    if name in _POINTWISE or (torch.Tag.pointwise in func.tags and name not in _FREE):
        first = output[0] if isinstance(output, tuple) else output
        return _POINTWISE.get(name, 1) * int(first.numel())
    return 0
