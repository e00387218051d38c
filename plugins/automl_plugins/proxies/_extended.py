"""Positive numbers beyond the range of float64: tensors with an exponent of their own.

A deep enough network overflows any format. While tensors go through operations that are homogeneous (convolution,
ReLU, pooling, sums), a common factor of all their values may be kept apart, as the exponent of a power of two: nothing
is rounded by that, and gradients are those of the numbers themselves, up to the final factor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from automl import Unmeasurable

_LARGE = 200
"""Mantissas are kept within 2**-200 and 2**200, so that products of a few of them, and their gradients, are finite."""
_FINITE = 800
"""Exponents up to here are multiplied out where an operation is not homogeneous."""

# fmt: off
_HOMOGENEOUS = frozenset(
    {
        "__getitem__", "_adaptive_max_pool2d", "_max_pool1d", "_max_pool2d", "_max_pool3d", "adaptive_avg_pool1d",
        "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
        "adaptive_max_pool3d", "amax", "avg_pool1d", "avg_pool2d", "avg_pool3d", "channel_shuffle", "chunk",
        "clone", "contiguous", "double", "dropout", "dropout1d", "dropout2d", "dropout3d", "expand", "expand_as",
        "flatten", "flip", "getitem", "identity", "interpolate", "leaky_relu", "max", "max_pool1d", "max_pool2d",
        "max_pool3d", "mean", "movedim", "narrow", "neg", "pad", "permute", "pixel_shuffle", "prelu", "relu",
        "relu_", "repeat", "reshape", "roll", "rrelu", "select", "split", "squeeze", "sum", "tile", "to",
        "transpose", "unbind", "unflatten", "unsqueeze", "view", "view_as",
    }
)
_SHAPES = frozenset(
    {
        "__get__", "__len__", "data_ptr", "dim", "element_size", "get_device", "is_complex", "is_contiguous",
        "is_floating_point", "is_same_size", "ndimension", "nelement", "numel", "requires_grad_", "size", "stride",
    }
)
_LINEAR = frozenset(
    {
        "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "linear",
    }
)
_SUMS = frozenset(
    {
        "__add__", "__iadd__", "__radd__", "__sub__", "add", "cat", "concat", "stack", "sub",
    }
)
_PRODUCTS = frozenset(
    {
        "__imul__", "__matmul__", "__mul__", "__rmul__", "__truediv__", "bmm", "div", "einsum", "matmul", "mm",
        "mul", "multiply",
    }
)
# fmt: on


class Extended(Tensor):
    """A tensor of values ``mantissa * 2 ** exponent``; the tensor itself is the mantissa.

    Operations that are not homogeneous see the values themselves.

    >>> big = Extended.of(torch.full((1,), 1e300, dtype=torch.float64))
    >>> product = big * big * big
    >>> round((product.exponent * math.log(2) + float(torch.log(product.mantissa()))) / math.log(10))
    900
    """

    exponent: int

    @classmethod
    def of(cls, mantissa: Tensor, exponent: int = 0) -> Extended:
        """Return the values with the mantissa brought to a moderate size."""
        if mantissa.is_floating_point() and mantissa.numel():
            largest = float(mantissa.detach().abs().amax())
            if largest > 0 and math.isfinite(largest):
                size = math.frexp(largest)[1]
                if abs(size) > _LARGE:
                    mantissa, exponent = _shifted(mantissa, -size), exponent + size
        made: Extended = mantissa.as_subclass(cls)
        made.exponent = exponent
        return made

    def mantissa(self) -> Tensor:
        """Return the values over ``2 ** exponent``, attached to the graph."""
        with torch._C.DisableTorchFunctionSubclass():
            return self.as_subclass(Tensor)

    def values(self) -> Tensor:
        """Return the values; raises `Unmeasurable` where they are beyond the format."""
        return _values(self, "the value")

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Compute on mantissas, and on exponents beside them."""
        named = dict(kwargs or {})
        with torch._C.DisableTorchFunctionSubclass():
            name = getattr(func, "__name__", "")
            if name in _SHAPES:
                return func(*_plain(args), **_plain(named))
            return _computed(func, name, args, named)


def _computed(func: Callable[..., Any], name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    found = [leaf for leaf in _leaves((args, named)) if isinstance(leaf, Extended)]
    exponents = {leaf.exponent for leaf in found}
    if exponents == {0}:
        return _wrapped(func(*_plain(args), **_plain(named)), 0)
    if name in _LINEAR:
        return _linear(func, args, named)
    if name in _PRODUCTS and not (name in ("div", "__truediv__") and isinstance(args[1], Extended)):
        return _wrapped(func(*_plain(args), **_plain(named)), sum(leaf.exponent for leaf in found))
    if name in _SUMS and not _leaves(named):
        common = max(exponents | ({0} if _has_plain_numbers(args) else set()))
        return _wrapped(func(*_aligned(args, common), **named), common)
    if name in _HOMOGENEOUS and _is_homogeneous(name, args, named):
        return _wrapped(func(*_plain(args), **_plain(named)), found[0].exponent)
    if name == "__setitem__" or (name.endswith("_") and not name.endswith("__")) or "out" in named:
        raise Unmeasurable("not_finite", f"the flow is beyond float64, and `{name}` overwrites a part of it in place")
    read = _mapped((args, named), lambda leaf: _values(leaf, name) if isinstance(leaf, Extended) else leaf)
    return _wrapped(func(*read[0], **read[1]), 0)


def _is_homogeneous(name: str, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    """Say whether the call has one operand, slopes of a PReLU apart, and pads with nothing but zeros."""
    if name == "pad":
        return not (args[3] if len(args) > 3 else named.get("value"))
    return name == "prelu" or len(_leaves((args, named))) == 1


def _linear(func: Callable[..., Any], args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    """Apply a layer whose bias, if any, is brought to the exponent of the product."""
    names = ("input", "weight", "bias")
    named = {**dict(zip(names, args, strict=False)), **named}
    rest = args[3:]
    source, weight, bias = named.pop("input"), named.pop("weight"), named.pop("bias", None)
    exponent = sum(leaf.exponent for leaf in (source, weight) if isinstance(leaf, Extended))
    scaled = None if bias is None else _brought(bias, exponent)
    return _wrapped(func(_plain(source), _plain(weight), scaled, *rest, **named), exponent)


def _brought(tensor: Any, exponent: int) -> Any:
    """Return the mantissa that ``tensor`` has under ``exponent``; far smaller ones vanish."""
    if not isinstance(tensor, Tensor):
        return tensor if not isinstance(tensor, int | float) else math.ldexp(tensor, -min(exponent, 2000))
    own = tensor.exponent if isinstance(tensor, Extended) else 0
    return _shifted(_plain(tensor), own - exponent)


def _shifted(tensor: Tensor, by: int) -> Tensor:
    """Return ``tensor * 2 ** by``, in steps that are themselves finite."""
    while abs(by) > 1000 and by > -4000:
        step = 1000 if by > 0 else -1000
        tensor, by = tensor * math.ldexp(1.0, step), by - step
    return tensor * (math.ldexp(1.0, by) if by > -1074 else 0.0)


def _aligned(args: tuple[Any, ...], exponent: int) -> tuple[Any, ...]:
    """Return the operands of a sum under one exponent: two operands, or the sequence that comes first."""
    if args and isinstance(args[0], tuple | list):
        return (type(args[0])(_brought(leaf, exponent) for leaf in args[0]), *args[1:])
    return (*(_brought(leaf, exponent) for leaf in args[:2]), *args[2:])


def _has_plain_numbers(args: tuple[Any, ...]) -> bool:
    operands = args[0] if args and isinstance(args[0], tuple | list) else args[:2]
    return any(not isinstance(leaf, Extended) for leaf in operands)


def _values(tensor: Extended, name: str) -> Tensor:
    if abs(tensor.exponent) > _FINITE:
        raise Unmeasurable(
            "not_finite", f"`{name}` is not homogeneous, and its input is about 2**{tensor.exponent}, beyond float64"
        )
    return _shifted(_plain(tensor), tensor.exponent)


def _wrapped(result: Any, exponent: int) -> Any:
    return _mapped(result, lambda leaf: Extended.of(leaf, exponent) if leaf.is_floating_point() else leaf)


def _plain(tree: Any) -> Any:
    return _mapped(tree, lambda leaf: leaf.as_subclass(Tensor) if isinstance(leaf, Extended) else leaf)


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return {key: _mapped(value, change) for key, value in tree.items()}
    if isinstance(tree, tuple | list) and not hasattr(tree, "_fields"):
        kind = list if isinstance(tree, list) else tuple
        return kind(_mapped(value, change) for value in tree)
    return tree


def _leaves(tree: object) -> list[Tensor]:
    if isinstance(tree, Tensor):
        return [tree]
    if isinstance(tree, Mapping):
        return [leaf for value in tree.values() for leaf in _leaves(value)]
    return [leaf for value in tree for leaf in _leaves(value)] if isinstance(tree, tuple | list) else []
