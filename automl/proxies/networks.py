"""Private copies of networks: modes, parameters, layers and restarts. The caller's network is only ever read."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd

from automl.proxies.measurement import Unmeasurable

BnMode: TypeAlias = Literal["batch", "frozen"]
Which: TypeAlias = Literal["weights", "all"]
Initialisation: TypeAlias = Literal["kaiming_fan_in", "kaiming_fan_out", "normal"]

NORMALISATIONS: tuple[type[nn.Module], ...] = (
    _NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.LocalResponseNorm,
    nn.CrossMapLRN2d,
    nn.RMSNorm,
)
"""Normalisation layers: the batch and instance family (`_NormBase`), and those of single examples."""


def private_copy(network: nn.Module) -> nn.Module:
    """Return a deep copy without gradients and without operations in place, which would overwrite what is looked at.

    Raises:
        Unmeasurable: the network cannot be copied, as with the old `weight_norm`, which keeps computed tensors.
    """
    try:
        copied = copy.deepcopy(network, _empty_containers(network))
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise Unmeasurable("error", f"the network cannot be copied ({reason}); score a copy-able form of it") from error
    for parameter in copied.parameters():
        parameter.grad = None
    for module in copied.modules():
        if getattr(module, "inplace", False) is True:
            module.inplace = False  # type: ignore[assignment]
    return copied


def _empty_containers(network: nn.Module) -> dict[int, Any]:
    """Return a memo for `copy.deepcopy` that has copies of the empty containers of modules, mostly for hooks.

    There are over a dozen in each module, and to copy them one by one takes nearly half the time.
    """
    values = (value for module in network.modules() for value in vars(module).values())
    return {id(value): type(value)() for value in values if type(value) in (OrderedDict, dict, set) and not value}


def set_mode(network: nn.Module, bn_mode: BnMode) -> None:
    """Put ``network`` in evaluation mode; with ``batch``, batch normalisation uses the statistics of the batch.

    So dropout, auxiliary heads and stochastic depth are off in both. Recurrent layers are in training mode without
    dropout, since cuDNN cannot differentiate them otherwise.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, _NormBase) and bn_mode == "batch":
            module.train()
        elif isinstance(module, nn.RNNBase):
            module.dropout = 0.0
            module.train()


def trainable(network: nn.Module, which: Which = "weights") -> dict[str, nn.Parameter]:
    """Return the trainable parameters by name, shared ones once.

    ``weights`` are those with two axes or more: the weights of convolutions and linear layers (what the published
    codes look at, in the networks they look at), and of embeddings, recurrent and attention layers too; not biases
    and the gains of normalisation.
    """
    found = {name: p for name, p in network.named_parameters() if p.requires_grad}
    return {name: p for name, p in found.items() if which == "all" or p.ndim >= 2}


def weighted_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the innermost modules that own weights: parameters with two axes or more."""
    for name, module in network.named_modules():
        if next(module.children(), None) is None and any(p.ndim >= 2 for p in module.parameters(recurse=False)):
            yield name, module


@torch.no_grad()
def initialise(network: nn.Module, how: Initialisation, generator: torch.Generator) -> None:
    """Draw the weights again; biases become 0, normalisation the identity.

    Convolutions and linear layers only, as published: ``kaiming_fan_in`` and ``kaiming_fan_out`` are normal with
    standard deviation ``sqrt(2 / fan)``; ``normal`` is N(0, 1). Other layers keep their weights.
    """
    for module in network.modules():
        if isinstance(module, _ConvNd | nn.Linear):
            _draw(module.weight, how, generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, NORMALISATIONS) and getattr(module, "weight", None) is not None:
            module.weight.fill_(1.0)  # type: ignore[operator]
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()  # type: ignore[operator]


def _draw(weight: Tensor, how: Initialisation, generator: torch.Generator) -> None:
    """Fill ``weight`` from a CPU generator, so that the numbers are the same on every device."""
    drawn = torch.randn(weight.shape, generator=generator)
    if how != "normal":
        axis = 1 if how == "kaiming_fan_in" else 0
        fan = weight.shape[axis] * weight[0][0].numel()
        drawn *= (2.0 / fan) ** 0.5
    weight.copy_(drawn)
