"""Private copies of networks, made quickly: `copy.deepcopy` spends most of its time on a module's empty tables."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from automl.proxies.measurement import Unmeasurable

_PLAIN = frozenset({bool, int, float, str, type(None)})
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TABLES = frozenset({dict, OrderedDict, set, list})


def private_copy(network: nn.Module) -> nn.Module:
    """Return a deep copy without gradients and without operations in place, which would overwrite what is looked at.

    Computed tensors that modules keep, as the old `weight_norm` and networks that remember features do, are constants
    in the copy.

    Raises:
        Unmeasurable: the network cannot be copied; or it can, but what is in it cannot be seen (TorchScript) or is not
            there yet (lazy modules).
    """
    _check_open(network)
    try:
        copied = _copied_network(network)
    except (RuntimeError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise Unmeasurable("error", f"the network cannot be copied ({reason}); score a copy-able form of it") from error
    for module in copied.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    return copied


def _check_open(network: nn.Module) -> None:
    """Raise `Unmeasurable` where layers hide their kind and weights, so that numbers would be of something else."""
    if any(isinstance(module, torch.jit.ScriptModule) for module in network.modules()):
        reason = "TorchScript hides the layers of a network; score the module that it was made from"
        raise Unmeasurable("unsupported", reason)
    if any(is_lazy(tensor) for tensor in (*network.parameters(), *network.buffers())):
        raise Unmeasurable("unsupported", "lazy layers have no weights before their first call; call the network once")


def _copied_network(network: nn.Module) -> nn.Module:
    modules = list(network.modules())
    memo = _copied_tensors(network, modules)
    if not all(_is_plain(type(module)) for module in modules):
        return copy.deepcopy(network, memo)
    # All modules are there, and empty, before any is filled, so that references among them find their copies.
    for module in modules:
        memo[id(module)] = module.__class__.__new__(module.__class__)
    for module in modules:
        memo[id(module)].__dict__.update({key: _copied(value, memo) for key, value in vars(module).items()})
    copied: nn.Module = memo[id(network)]
    return copied


def _copied_tensors(network: nn.Module, modules: list[nn.Module]) -> dict[int, Any]:
    """Return a memo for `copy.deepcopy` that has the tensors which it is slow at, or cannot copy at all."""
    memo: dict[int, Any] = {}
    for module in modules:
        for value in vars(module).values():
            if isinstance(value, Tensor) and not value.is_leaf:
                memo[id(value)] = value.detach().clone()
        if type(module) in _BATCH_NORMS:
            memo.update({id(value): value.clone() for value in module._buffers.values() if value is not None})
    for parameter in network.parameters():
        if type(parameter) is nn.Parameter:
            memo[id(parameter)] = nn.Parameter(parameter.detach().clone(), parameter.requires_grad)
        elif parameter.grad is not None:
            memo[id(parameter.grad)] = None
    return memo


def _is_plain(kind: type[nn.Module]) -> bool:
    """Return whether a copy of ``kind`` is a copy of its attributes: it says nothing else about copying itself."""
    return (
        not hasattr(kind, "__deepcopy__")
        and kind.__reduce_ex__ is object.__reduce_ex__
        and kind.__reduce__ is object.__reduce__
        and kind.__getstate__ is object.__getstate__
        and kind.__setstate__ is nn.Module.__setstate__
    )


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    if type(value) in _PLAIN:
        return value
    if id(value) in memo:
        return memo[id(value)]
    if type(value) is dict and value and all(isinstance(key, str) for key in value):
        # Tables of parameters, buffers and modules. Whoever else refers to the table must find this one.
        made = memo[id(value)] = {}
        made.update({key: _copied(each, memo) for key, each in value.items()})
        return made
    if type(value) in _TABLES and not value:
        return memo.setdefault(id(value), type(value)())
    if type(value) is tuple and all(type(each) in _PLAIN for each in value):
        return value
    return copy.deepcopy(value, memo)
