"""Which activations a network executes: their inputs, seen wherever they are called from.

Activations are caught where they are called as functions, so that `nn.ReLU`, `functional.relu` and `Tensor.relu` are
one and the same, and an activation module that is shared is seen at each call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode


@dataclass(frozen=True, slots=True)
class Activation:
    """One executed activation.

    Attributes:
        name: of the function, as ``relu``.
        is_exact: whether it is piecewise linear with its only kink at 0, so that the sign of its input says which piece
            an example is on; for GELU, SiLU, sigmoid and the like the sign is an approximation.
    """

    name: str
    is_exact: bool


_RELU = Activation("relu", is_exact=True)
_KNOWN: dict[Callable[..., Any], Activation] = {
    functional.relu: _RELU,
    torch.relu: _RELU,
    Tensor.relu: _RELU,
    torch.relu_: _RELU,
    Tensor.relu_: _RELU,
    functional.leaky_relu: Activation("leaky_relu", is_exact=True),
    functional.prelu: Activation("prelu", is_exact=True),
    torch.prelu: Activation("prelu", is_exact=True),
    functional.rrelu: Activation("rrelu", is_exact=True),
    functional.relu6: Activation("relu6", is_exact=False),
    functional.hardtanh: Activation("hardtanh", is_exact=False),
    functional.hardswish: Activation("hardswish", is_exact=False),
    functional.hardsigmoid: Activation("hardsigmoid", is_exact=False),
    functional.elu: Activation("elu", is_exact=False),
    functional.celu: Activation("celu", is_exact=False),
    functional.selu: Activation("selu", is_exact=False),
    functional.gelu: Activation("gelu", is_exact=False),
    functional.silu: Activation("silu", is_exact=False),
    functional.mish: Activation("mish", is_exact=False),
    functional.softplus: Activation("softplus", is_exact=False),
    torch.tanh: Activation("tanh", is_exact=False),
    Tensor.tanh: Activation("tanh", is_exact=False),
    torch.sigmoid: Activation("sigmoid", is_exact=False),
    Tensor.sigmoid: Activation("sigmoid", is_exact=False),
}

Seen = Callable[[Activation, Tensor], None]


def register_activation(function: Callable[..., Any], name: str, *, is_exact: bool) -> None:
    """Let ``function``, whose first argument is a tensor of pre-activations, count as an activation.

    It must be one that PyTorch dispatches on (`torch.overrides`): a function of PyTorch, or one of your own that calls
    `torch.overrides.handle_torch_function`.
    """
    _KNOWN[function] = Activation(name, is_exact)


class WatchedActivations(TorchFunctionMode):
    """While entered, hands every activation and its input, detached, to ``seen``; in place becomes out of place.

    >>> found = []
    >>> with WatchedActivations(lambda activation, before: found.append(activation.name)):
    ...     _ = torch.nn.ReLU()(torch.zeros(2))
    >>> found
    ['relu']
    """

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._seen = seen

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        named = kwargs or {}
        activation = _KNOWN.get(func)
        if activation is None:
            return func(*args, **named)
        before = args[0] if args else named["input"]
        self._seen(activation, before.detach())
        if named.get("inplace"):
            named = {**named, "inplace": False}
        return func(*args, **named)
