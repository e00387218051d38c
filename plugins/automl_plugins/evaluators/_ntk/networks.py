"""Private copies of networks with the statistics of batch normalisation fixed, and what the network is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from automl import Batch, Unmeasurable, check_real, private_copy
from automl_plugins.evaluators._ntk.kernel import BnMode, Parameters
from automl_plugins.evaluators._ntk.layers import BATCH_NORMS

Outputs: TypeAlias = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Problem:
    """A network of our own to differentiate, and the batch.

    Attributes:
        network: a private copy in evaluation mode.
        batch: on the network's device.
        outputs: what makes a tensor of what the network returns.
        bn_mode: how statistics of batch normalisation are had.
        names: parameters that the kernel is of.
    """

    network: nn.Module
    batch: Batch
    outputs: Outputs
    bn_mode: BnMode
    names: frozenset[str]

    @property
    def has_batch_norm(self) -> bool:
        """Whether examples may be coupled by batch normalisation."""
        return any(is_batch_norm(module) for module in self.network.modules())

    @property
    def parameters(self) -> dict[str, nn.Parameter]:
        """The parameters that the kernel is of, shared ones once."""
        return {name: p for name, p in self.network.named_parameters() if name in self.names}

    def logits(self, batch: Batch) -> Tensor:
        """Return outputs `(examples, outputs)`.

        Raises:
            Unmeasurable: there is not one row for each example.
        """
        found = self.outputs(self.network(*batch.args, **batch.kwargs))
        if found.ndim == 0 or len(found) != batch.size:
            shape = tuple(found.shape)
            raise Unmeasurable(
                "unsupported", f"the outputs have shape {shape}, and not one row for each of {batch.size} examples"
            )
        return found.reshape(batch.size, -1)


def as_batch(inputs: object) -> Batch:
    """Return the batch that a tensor, positional arguments or keyword arguments mean, without targets."""
    if isinstance(inputs, Batch):
        return Batch(inputs.args, inputs.kwargs)
    if isinstance(inputs, Mapping):
        return Batch((), dict(inputs))
    return Batch(tuple(inputs) if isinstance(inputs, tuple | list) else (inputs,))


def problem_of(
    network: nn.Module, inputs: object, outputs: Outputs, bn_mode: BnMode, parameters: Parameters
) -> Problem:
    """Return the problem, with a private copy of the network; nothing of the caller's is changed.

    Raises:
        Unmeasurable: the network has no trainable parameter of the kind, has a complex one, or cannot be copied.
    """
    batch = as_batch(inputs)
    own = next(network.parameters(), None)
    if own is not None:
        batch = batch.to(own.device)
    batch = batch.mapped(Tensor.detach)
    copied = private_copy(network)
    trained = [name for name, parameter in copied.named_parameters() if parameter.requires_grad]
    names = frozenset(name for name in trained if parameters == "all" or "weight" in name)
    if not names:
        of_kind = "trainable parameter" if parameters == "all" else "trainable parameter named `weight`"
        raise Unmeasurable("undefined", f"the network has no {of_kind}, so it has no tangent kernel")
    check_real({name: parameter for name, parameter in copied.named_parameters() if name in names})
    for name, parameter in copied.named_parameters():
        parameter.requires_grad_(name in names)
    copied.eval()
    for module in copied.modules():
        if isinstance(module, nn.RNNBase):
            # cuDNN differentiates recurrent layers in training mode only.
            module.dropout = 0.0
            module.train()
    return Problem(copied, batch, outputs, bn_mode, names)


def is_batch_norm(module: nn.Module) -> bool:
    """Return whether the module is batch normalisation, a stranger's subclass included."""
    return isinstance(module, BATCH_NORMS)


@contextmanager
def own_randomness(device: torch.device) -> Iterator[None]:
    """Seed the global generators, for networks that draw in evaluation mode, and put them back after the block."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.set_rng_state(torch.Generator().manual_seed(0).get_state())
        yield


def calibrated(problem: Problem) -> nn.Module:
    """Return the network with fixed statistics: of each layer's inputs, in a pass with the statistics of the batch.

    The variance is the biased one (division by the number of values), by which the calibration pass itself normalises;
    so what the network returns in evaluation mode afterwards is what it returned in that pass. A layer that is called
    several times has the mean of the statistics of its calls.
    """
    modules = [module for module in problem.network.modules() if is_batch_norm(module)]
    found: dict[nn.Module, list[tuple[Tensor, Tensor]]] = {}

    def look(module: nn.Module, args: tuple[Any, ...]) -> None:
        axes = [axis for axis in range(args[0].ndim) if axis != 1]
        variance, mean = torch.var_mean(args[0].detach(), axes, correction=0)
        found.setdefault(module, []).append((mean, variance))

    hooks = [module.register_forward_pre_hook(look) for module in modules]
    try:
        with batch_statistics(problem.network), torch.no_grad():
            problem.network(*problem.batch.args, **problem.batch.kwargs)
    finally:
        for hook in hooks:
            hook.remove()
    for module, seen in found.items():
        module.running_mean = torch.stack([mean for mean, _ in seen]).mean(0)
        module.running_var = torch.stack([variance for _, variance in seen]).mean(0)
    return problem.network


@contextmanager
def batch_statistics(network: nn.Module) -> Iterator[None]:
    """Let batch normalisation use the statistics of the batch inside; everything else stays in evaluation mode."""
    modules = [module for module in network.modules() if is_batch_norm(module)]
    for module in modules:
        module.train()
    try:
        yield
    finally:
        for module in modules:
            module.eval()


def is_quicker_channels_last(problem: Problem) -> bool:
    """Return whether images had better be stored channels last: on CPUs, where oneDNN then need not reorder them."""
    is_on_cpu = problem.batch.main.device.type == "cpu" and problem.batch.main.ndim == 4
    return is_on_cpu and any(type(module) is nn.Conv2d for module in problem.network.modules())


def channels_last(inputs: Tensor) -> Tensor:
    """Return images stored channels last, anything else as it is."""
    return inputs.contiguous(memory_format=torch.channels_last) if inputs.ndim == 4 else inputs
