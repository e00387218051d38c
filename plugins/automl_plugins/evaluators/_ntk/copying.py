"""Private copies of networks, made quickly: `copy.deepcopy` spends most of its time on a module's empty tables."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn

from automl import Unmeasurable

_PLAIN = frozenset({bool, int, float, str, type(None)})
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_TABLES = frozenset({dict, OrderedDict, set, list})


def private_copy(network: nn.Module) -> nn.Module:
    """Return a deep copy without gradients; computed tensors that modules keep are copied as constants.

    Raises:
        Unmeasurable: the network cannot be copied.
    """
    memo: dict[int, Any] = {}
    modules = list(network.modules())
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
    try:
        if any(
            hasattr(type(module), "__deepcopy__") or isinstance(module, torch.jit.ScriptModule) for module in modules
        ):
            return copy.deepcopy(network, memo)
        # All modules are there, and empty, before any is filled, so that references among them find their copies.
        for module in modules:
            memo[id(module)] = module.__class__.__new__(module.__class__)
        for module in modules:
            memo[id(module)].__dict__.update({key: _copied(value, memo) for key, value in vars(module).items()})
    except (RuntimeError, TypeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise Unmeasurable("error", f"the network cannot be copied ({reason}); give one that can be") from error
    copied: nn.Module = memo[id(network)]
    return copied


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
