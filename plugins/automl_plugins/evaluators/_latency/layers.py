"""The innermost layers that a forward pass calls, each described so that equal calls have equal texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

_PLAIN = (bool, int, float, str, tuple, type(None))


@dataclass(frozen=True)
class Call:
    """One call of a layer.

    Attributes:
        key: its type, its arguments, the shapes of its weights and of what it was given.
        layer: the layer.
        args: what it was given by position; `Blank` stands for a tensor.
        kwargs: likewise by name.
    """

    key: str
    layer: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def repeat(self, device: torch.device, generator: torch.Generator) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return arguments like those of the call, with tensors of normal numbers on ``device``."""

        def fill(leaf: Any) -> Any:
            return leaf.tensor(device, generator) if isinstance(leaf, Blank) else leaf

        return tree_map(fill, self.args), tree_map(fill, dict(self.kwargs))


@dataclass(frozen=True, slots=True)
class Blank:
    """Shape, type and layout of a tensor, without its values.

    >>> str(Blank.of(torch.zeros(2, 3)))
    'float32[2, 3]'
    """

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> Blank:
        """Return what is known of ``tensor``."""
        return cls(tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)

    def tensor(self, device: torch.device, generator: torch.Generator) -> Tensor:
        """Return such a tensor: normal numbers of ``generator`` (of the CPU), zeros where they are no fractions."""
        made = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device=device)
        if not self.dtype.is_floating_point:
            return made.zero_()
        return made.copy_(torch.randn(self.shape, generator=generator))

    def __str__(self) -> str:
        """Return type and shape, and the order in memory where it is not the usual one."""
        usual = torch.empty(self.shape, device="meta").stride() == self.stride
        return f"{str(self.dtype).removeprefix('torch.')}{list(self.shape)}{'' if usual else list(self.stride)}"


def calls_of(network: nn.Module, inputs: Tensor) -> list[Call]:
    """Return the calls of layers without layers of their own in one forward pass, in order.

    What containers compute by themselves, such as a sum of branches, is no call of a layer.
    """
    found: list[Call] = []

    def note(layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        blank_args, blank_kwargs = tree_map(_blank, args), tree_map(_blank, kwargs)
        found.append(Call(_key(layer, blank_args, blank_kwargs), layer, blank_args, blank_kwargs))

    leaves = [layer for layer in network.modules() if next(layer.children(), None) is None]
    hooks = [layer.register_forward_pre_hook(note, with_kwargs=True) for layer in leaves]
    try:
        with torch.inference_mode():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _blank(leaf: Any) -> Any:
    return Blank.of(leaf) if isinstance(leaf, Tensor) else leaf


def _key(layer: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Return the description; arguments of a layer are its attributes that are plain values."""
    kind = f"{type(layer).__module__}.{type(layer).__qualname__}"
    own = {name: value for name, value in vars(layer).items() if isinstance(value, _PLAIN) and name[0] != "_"}
    own.pop("training", None)
    settings = ", ".join(f"{name}={own[name]!r}" for name in sorted(own))
    weights = ", ".join(str(Blank.of(tensor)) for tensor in (*layer.parameters(), *layer.buffers()))
    given = ", ".join([_text(value) for value in args] + [f"{name}={_text(kwargs[name])}" for name in sorted(kwargs)])
    return f"{kind}({settings}) with [{weights}] on ({given})"


def _text(value: Any) -> str:
    return str(tree_map(str, value))
