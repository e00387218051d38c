"""Gradient signal preservation [1], summed over the network [2].

[1] Wang et al. Picking winning tickets before training by preserving gradient flow. ICLR 2020.
[2] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from automl import BaseOptions, Bench, Metric, Proxy, Reading, Unmeasurable, logits_of, trainable
from automl_plugins.proxies._reachable import graph_of
from automl_plugins.proxies._saliency import SaliencyOptions

_DEAD_ENDS = frozenset({"torch::autograd::Error", "torch::autograd::NotImplemented"})
"""Nodes that PyTorch leaves in a graph where something may be differentiated once only."""


class Grasp(Proxy):
    """Minus the sum of ``θ ∘ (H g)`` over the weights: g the gradient of the mean loss, H its Hessian.

    Eq. 8 of [1] at temperature 1, as [2] runs it. H is that of the chosen parameters, which is the block of the whole
    one. The sign is that of the code of [2], where it was turned round after correlations had been seen, so which way
    is better is doubtful. Gradients are differentiated again: attention and recurrence go through their plain forms,
    and it costs several times what the others do.

    >>> Grasp.needs_double_backward
    True
    """

    paper: ClassVar[str] = "Wang et al. Picking winning tickets before training. ICLR 2020."
    Options: ClassVar[type[BaseOptions]] = SaliencyOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("grasp", "max", doc="-Sum of weight x (Hessian x gradient)."),)
    needs_targets: ClassVar[bool] = True
    needs_double_backward: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        network, batch = bench.fresh(), bench.batch
        weights = list(trainable(network, self.options.parameters).values())
        with bench.seeded("pass"), _differentiable_twice(network):
            logits = logits_of(network(*batch.args, **batch.kwargs))
            assert batch.targets is not None
            loss = bench.criterion.loss(logits, batch.targets)
            if not bool(loss.isfinite().all()):
                raise Unmeasurable("not_finite", "the loss is not finite")
            bench.check()
            used, gradients = _first(loss, weights)
            bench.check()
            products = _second(gradients, used)
        pairs = zip(used, products, strict=True)
        return -sum(float((w.detach().double() * p.double()).sum()) for w, p in pairs if p is not None)


def _first(loss: Tensor, weights: list[nn.Parameter]) -> tuple[list[nn.Parameter], list[Tensor]]:
    """Return the weights that ``loss`` depends on, and their gradients, attached."""
    if not weights or not loss.requires_grad:
        raise Unmeasurable("unsupported", "the loss depends on no trainable parameter of the chosen ones")
    if any(weight.is_complex() for weight in weights):
        raise Unmeasurable("unsupported", "parameters are complex; write their two parts as real parameters")
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    pairs = [(weight, g) for weight, g in zip(weights, gradients, strict=True) if g is not None]
    if not pairs:
        raise Unmeasurable("unsupported", "the loss depends on no trainable parameter of the chosen ones")
    return [weight for weight, _ in pairs], [g for _, g in pairs]


def _second(gradients: list[Tensor], weights: list[nn.Parameter]) -> tuple[Tensor | None, ...]:
    """Return Hessian times gradient; ``None`` where no gradient depends on a weight."""
    attached = [g for g in gradients if g.requires_grad]
    if not attached:
        return tuple(None for _ in weights)
    if any(node.name() in _DEAD_ENDS for node in graph_of(attached)):
        # It would raise on the way to its own inputs only, which nobody asks for: the Hessian would silently lack it.
        raise Unmeasurable(
            "unsupported", "the gradients cannot be differentiated again (a once-differentiable function)"
        )
    try:
        return torch.autograd.grad(attached, weights, [g.detach() for g in attached], allow_unused=True)
    except (RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())
        raise Unmeasurable("unsupported", f"the gradients cannot be differentiated again ({reason[:200]})") from error


@contextmanager
def _differentiable_twice(network: nn.Module) -> Iterator[None]:
    """Let attention and recurrence take the forms that have a second derivative."""
    with ExitStack() as stack:
        stack.enter_context(torch.enable_grad())
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        if any(isinstance(module, nn.RNNBase) for module in network.modules()):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        yield
