"""Private copies of networks: modes, parameters, layers and restarts. The caller's network is only ever read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils.parametrize import is_parametrized

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


@contextmanager
def plain_autograd() -> Iterator[None]:
    """Differentiate as usual inside, whatever the caller is in: `torch.no_grad`, inference mode or autocast."""
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        for device in ("cpu", "cuda"):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield


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


def check_real(parameters: Mapping[str, nn.Parameter]) -> None:
    """Raise `Unmeasurable` if a parameter is complex: formulas of gradients are of real numbers."""
    name = next((name for name, parameter in parameters.items() if parameter.is_complex()), None)
    if name is not None:
        raise Unmeasurable("unsupported", f"the parameter {name} is complex; write its two parts as real parameters")


def weighted_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the innermost modules that own weights (`is_weighted_layer`)."""
    return ((name, module) for name, module in network.named_modules() if is_weighted_layer(module))


def is_weighted_layer(module: nn.Module) -> bool:
    """Say whether it is an innermost module that owns weights: parameters with two axes or more."""
    return is_innermost(module) and any(p.ndim >= 2 for p in module.parameters())


def is_innermost(module: nn.Module) -> bool:
    """Say whether there are no layers inside; what its weights are computed by (`parametrize`) is none."""
    return all(name == "parametrizations" for name, _ in module.named_children())


@torch.no_grad()
def initialise(network: nn.Module, how: Initialisation, generator: torch.Generator) -> None:
    """Draw the weights again; biases become 0, normalisation the identity.

    Convolutions and linear layers only, as published: ``kaiming_fan_in`` and ``kaiming_fan_out`` are normal with
    standard deviation ``sqrt(2 / fan)``; ``normal`` is N(0, 1). Other layers keep their weights. A weight that is a
    function of other parameters (`torch.nn.utils.parametrize`) is set to what is drawn through the function's inverse.

    Raises:
        Unmeasurable: a weight is computed from other parameters in a way that cannot be inverted.
    """
    for name, module in network.named_modules():
        if isinstance(module, _ConvNd | nn.Linear):
            _redraw(name, module, how, generator)
            if module.bias is not None:
                module.bias.zero_()
        elif isinstance(module, NORMALISATIONS) and getattr(module, "weight", None) is not None:
            module.weight.fill_(1.0)  # type: ignore[operator]
            if getattr(module, "bias", None) is not None:
                module.bias.zero_()  # type: ignore[operator]


def _redraw(name: str, module: _ConvNd | nn.Linear, how: Initialisation, generator: torch.Generator) -> None:
    """Set the weight of a layer."""
    drawn = _drawn(module.weight, how, generator)
    if "weight" in module._parameters:
        module.weight.copy_(drawn)
        return
    reason = f"the weight of {name or 'the network'} is computed from other parameters and cannot be drawn again"
    if not is_parametrized(module, "weight"):
        raise Unmeasurable("unsupported", reason)
    try:
        module.weight = drawn.to(module.weight)  # to the parametrisation
    except (RuntimeError, NotImplementedError, ValueError) as error:
        raise Unmeasurable("unsupported", f"{reason} ({' '.join(str(error).split())[:100]})") from error


def _drawn(weight: Tensor, how: Initialisation, generator: torch.Generator) -> Tensor:
    """Return numbers in the shape of ``weight`` from a CPU generator, so that they are the same on every device."""
    drawn = torch.randn(weight.shape, generator=generator, dtype=torch.float32)
    if how != "normal":
        axis = 1 if how == "kaiming_fan_in" else 0
        fan = weight.shape[axis] * weight[0][0].numel()
        drawn *= (2.0 / fan) ** 0.5
    return drawn
