"""One watched forward and backward pass through a private copy of a network."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from automl.plugins import isolated
from automl.proxies.activations import WatchedActivations
from automl.proxies.batch import Batch
from automl.proxies.measurement import Unmeasurable
from automl.proxies.networks import check_real, trainable
from automl.proxies.observer import Audience, Observer, overrides
from automl.proxies.outputs import Criterion, logits_of, tensor_in

R = TypeVar("R")

Need: TypeAlias = Literal["forward", "gradients", "jacobian"]


@dataclass
class Findings:
    """What a pass found, and the seconds that its parts took.

    Attributes:
        logits: what the network returned, detached.
        loss: mean loss; ``None`` without gradients.
        gradients: of the loss by parameter name; parameters that it does not depend on are left out.
        jacobian: gradient of the sum of all outputs with respect to each example, `(examples, inputs)`.
        failures: what a part raised; the other parts are none the worse for it.
    """

    logits: Tensor | None = None
    loss: float | None = None
    gradients: dict[str, Tensor] = field(default_factory=dict)
    jacobian: Tensor | None = None
    seconds: dict[Need, float] = field(default_factory=dict)
    failures: dict[Need, Exception] = field(default_factory=dict)


def run_pass(
    network: nn.Module,
    batch: Batch,
    criterion: Criterion,
    needs: frozenset[Need],
    audience: Audience,
    check: Callable[[], None],
) -> Findings:
    """Send ``batch`` through ``network`` once and differentiate once or twice, as ``needs`` says.

    What a part raises is found, not raised: `Unmeasurable` where gradients are needed and there are no targets, no
    trainable parameters or complex ones, or no finite loss that depends on any, or where a Jacobian is and the inputs
    are neither numbers nor embedded; or whatever the network raises. The network sees copies of the inputs, so that it
    may overwrite them.
    """
    found = Findings()
    audience.tell(audience.that("begin"), "begin", batch)
    with ExitStack() as cleanup:
        gradient_hooks = cleanup.enter_context(watched(network, audience, with_gradients="gradients" in needs))
        points = Points.of(network, batch, found) if "jacobian" in needs else Points(batch.mapped(Tensor.clone))
        cleanup.callback(points.close)
        with torch.set_grad_enabled(bool(needs - {"forward"})):
            logits = _timed(found, "forward", lambda: _forward(network, points.batch, audience))
        if logits is None:
            found.failures |= dict.fromkeys(needs, found.failures["forward"])
            return found
        found.logits = logits.detach()
        check()
        if "gradients" in needs:
            keep = "jacobian" in needs
            _timed(found, "gradients", lambda: _differentiate(network, logits, batch, criterion, found, keep=keep))
            check()
        for handle in gradient_hooks:
            handle.remove()
        if "jacobian" in needs and "jacobian" not in found.failures:
            found.jacobian = _timed(found, "jacobian", lambda: _jacobian(logits, points.tensors))
    return found


@contextmanager
def watched(network: nn.Module, audience: Audience, *, with_gradients: bool) -> Iterator[list[RemovableHandle]]:
    """Let the audience see the layers of ``network`` inside the context; yields the hooks on gradients, which grow."""
    hooks: list[RemovableHandle] = []
    on_gradients: list[RemovableHandle] = []

    def seen(name: str, listening: list[Observer], module: nn.Module, inputs: object, outputs: object) -> None:
        output = tensor_in(outputs)
        if output is None:
            return
        now = [observer for observer in listening if overrides(observer, "layer")]
        audience.tell(now, "layer", name, module, output)
        waiting = [observer for observer in listening if overrides(observer, "layer_gradient")]
        if with_gradients and waiting and output.requires_grad:
            told = partial(audience.tell, waiting, "layer_gradient", name, module, output.detach())
            on_gradients.append(_on_gradient(output, told))

    try:
        for name, module in network.named_modules():
            if listening := audience.listening_to(name, module):
                hooks.append(module.register_forward_hook(partial(seen, name, listening)))
        yield on_gradients
    finally:
        for handle in (*hooks, *on_gradients):
            handle.remove()


class Points:
    """Where to differentiate by the inputs: at those that are numbers, or at what embedding layers make of tokens.

    ``batch`` is what the network is to be called with, and ``tensors`` are the points; of embeddings they are known
    after the forward pass. `close` removes the hooks that this takes.
    """

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.tensors: list[Tensor] = []
        self._hooks: list[RemovableHandle] = []

    @classmethod
    def of(cls, network: nn.Module, batch: Batch, found: Findings) -> Points:
        """Return the points of a batch; without any, ``found`` has the failure."""
        points = cls(batch)
        embeddings = [module for module in network.modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)]
        if not batch.has_tokens:
            points.batch = batch.mapped(points._leaf)
        elif embeddings:
            points._hooks = [module.register_forward_hook(points._embedded) for module in embeddings]
        else:
            reason = "the inputs are integers and the network has no embedding layer for them"
            found.failures["jacobian"] = Unmeasurable("unsupported", reason)
        return points

    def close(self) -> None:
        """Remove the hooks."""
        for handle in self._hooks:
            handle.remove()

    def _leaf(self, tensor: Tensor) -> Tensor:
        if not tensor.is_floating_point():
            return tensor
        self.tensors.append(tensor.detach().requires_grad_())
        return self.tensors[-1].clone()

    def _embedded(self, module: nn.Module, inputs: object, output: Tensor) -> Tensor | None:
        """Take an embedding of the examples; one of positions, which all examples share, is no point."""
        if output.shape[0] != self.batch.size:
            return None
        self.tensors.append(output if output.requires_grad else output.detach().requires_grad_())
        return self.tensors[-1]


def flat(gradients: Sequence[Tensor | None], points: Sequence[Tensor]) -> Tensor:
    """Return gradients at ``points`` side by side, `(examples, inputs)`; zero where there is no dependence."""
    rows = [torch.zeros_like(p) if g is None else g for g, p in zip(gradients, points, strict=True)]
    return torch.cat([row.flatten(1) if row.ndim > 1 else row[:, None] for row in rows], dim=1)


def _forward(network: nn.Module, batch: Batch, audience: Audience) -> Tensor:
    with WatchedActivations(partial(audience.tell, audience.that("activation"), "activation")):
        return logits_of(network(*batch.args, **batch.kwargs))


def _on_gradient(tensor: Tensor, call: Callable[[Tensor], None]) -> RemovableHandle:
    handle: RemovableHandle = tensor.register_hook(call)  # type: ignore[no-untyped-call]
    return handle


def _timed(found: Findings, part: Need, run: Callable[[], R]) -> R | None:
    """Run a part, and note its seconds and what it raised."""
    began = time.perf_counter()
    result = isolated(run)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
    found.seconds[part] = time.perf_counter() - began
    if isinstance(result, Exception):
        found.failures[part] = result
        return None
    return result


def _differentiate(
    network: nn.Module, logits: Tensor, batch: Batch, criterion: Criterion, found: Findings, *, keep: bool
) -> None:
    if batch.targets is None:
        raise Unmeasurable("unsupported", "the loss needs targets, and the batch has none")
    parameters = trainable(network, "all")
    if not parameters:
        raise Unmeasurable("unsupported", "the network has no trainable parameters")
    check_real(parameters)
    loss = criterion.loss(logits, batch.targets)
    if not loss.requires_grad:
        raise Unmeasurable("unsupported", "the loss depends on no trainable parameter")
    found.loss = float(loss.detach())
    if not math.isfinite(found.loss):
        # Its gradients may well be finite, as zeros where no position of a sequence counts.
        raise Unmeasurable("not_finite", f"the loss is {found.loss}")
    gradients = torch.autograd.grad(loss, list(parameters.values()), retain_graph=keep, allow_unused=True)
    found.gradients = {name: g for name, g in zip(parameters, gradients, strict=True) if g is not None}


def _jacobian(logits: Tensor, points: list[Tensor]) -> Tensor:
    if not points or not logits.requires_grad:
        raise Unmeasurable("unsupported", "the outputs depend on no input that one can differentiate by")
    return flat(torch.autograd.grad(logits.sum(), points, allow_unused=True), points)
