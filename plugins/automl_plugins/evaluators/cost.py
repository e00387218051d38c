"""Exact costs of a network that need no weights: parameters, and the arithmetic of one forward pass.

The network is built on PyTorch's meta device, where tensors have a shape and no memory, and one example is
sent through it. Convolutions and matrix products are counted where they are dispatched, whoever calls them,
by the formulas of `torch.utils.flop_counter`.

**Convention.** ``flops`` are multiply-accumulate operations of convolutions and matrix products for one
example: half of what `FlopCounterMode` reports. That is what most papers on mobile networks call FLOPs.
Biases, normalisation, activations and pooling are not counted. The tables of NAS-Bench-201 count those too: 3
per output value of ReLU and batch normalisation together, 9 per output value of 3x3 pooling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from automl import Candidate, Context, Evaluator, Metric, Task

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


class Cost(Evaluator):
    """Trainable parameters, and multiply-accumulates of one forward pass, without allocating the network.

    >>> [metric.name for metric in Cost.declared]
    ['params', 'flops']
    """

    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("params", "min", "", "Trainable parameters, shared ones once."),
        Metric("flops", "min", "MAC", "Multiply-accumulates of convolutions and matrix products, one example."),
    )

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``params`` and ``flops``."""
        return self.declared

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build the candidate on the meta device and count."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = candidate.space.build(candidate.blueprint, context.task).eval()
        example = torch.empty((1, *context.task.input_shape), device="meta")
        with torch.no_grad(), _MultiplyAccumulates() as counter, _ShapesOnly():
            module(example)
        params = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
        return {"params": float(params), "flops": float(counter.total)}


class _MultiplyAccumulates(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the multiply-accumulates of all dispatched convolutions and matrix products."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        output = func(*args, **named)
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **named, out_val=output) // 2
        return output


class _ShapesOnly(TorchFunctionMode):
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
