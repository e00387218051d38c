"""Evaluator ``stability``: how large the gradient becomes where weights are chosen to make it large [1].

We climb the norm of the gradient of the loss on one small batch, as a function of the weights θ of the network:
``max ||∂loss/∂θ||₂``, by ascent along its own gradient. [1] rejects what passes 1e8 within 100 steps. What [1] leaves
open, as far as we remember it, we decided:

- θ are the parameters with two axes or more: kernels and matrices, and not gains, biases and vectors of layers.
- The step of each tensor is a share of its norm along the direction of ascent, and its norm is restored afterwards.
  With free norms, 100 steps of 10 % stretch each tensor up to 1.1^100 = 14,000 times; then even batch normalisation
  with ReLU passes 1e8, where all parameters move. So directions are searched, at the scale at which training starts.
- The ascent follows the square of the norm: the same direction, and defined where the gradient is zero.
- Layers use moments of the batch, and dropout is off.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from automl import Candidate, Condition, Context, Evaluator, EvaluatorOptions, Metric, Task, derive_seed
from automl_plugins.evaluators._batch_statistics import use_batch_statistics
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators._training import seeded

NOT_FINITE = torch.finfo(torch.float32).max
"""What is reported as the norm of a gradient that is infinite or no number: 3.4e38."""

_TWICE = ("differentiate twice", "is not implemented", "does not require grad")
"""Signs, in errors of PyTorch, of an operation that has no second derivative."""


class StabilityOptions(EvaluatorOptions):
    """Options of `Stability`."""

    reject: tuple[str, ...] = ("gradient_norm.* > 1e8",)
    """Reject a candidate when one of these holds. The ascent ends when one of the form `gradient_norm > X` does, or in
    any variant `gradient_norm.* > X`."""

    steps: int = Field(default=100, ge=0)
    """Steps of the ascent; 0 measures the gradient of the initial weights alone."""

    step_size: float = Field(default=0.1, gt=0, lt=1)
    """Length of a step, as a share of the norm of each weight tensor."""

    batch_size: int = Field(default=16, ge=2)
    """Examples of the batch, drawn from the training split with balanced classes."""


class Stability(Evaluator):
    """Report the largest norm of the gradient that an ascent over the weights meets.

    A norm that is infinite or no number, or whose square is, is reported as 3.4e38, with a remark that says at which
    step. A network with an operation that cannot be differentiated twice gives no metric, but a remark.

    >>> Stability(StabilityOptions(steps=20)).options.reject
    ('gradient_norm.* > 1e8',)
    """

    paper: ClassVar[str] = "Liu et al. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967."
    Options = StabilityOptions

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (Metric("gradient_norm", "min", doc="Largest norm of the gradient of the weights during the ascent."),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        network = candidate.build(context.task, context.seed).to(context.device)
        use_batch_statistics(network)
        weights = [weight for weight in network.parameters() if weight.requires_grad and weight.ndim >= 2]
        if not weights:
            context.remark("gradient_norm", "unsupported: the network has no trainable weight of two axes or more")
            return {}
        batch = labelled_batch(context.task, self.options.batch_size, context.seed, context.device)
        try:
            with seeded(derive_seed(context.seed, "stability"), torch.device(context.device)), torch.enable_grad():
                return {"gradient_norm": self._ascend(network, weights, batch, context)}
        except (RuntimeError, NotImplementedError) as error:
            if not any(sign in str(error) for sign in _TWICE):
                raise
            context.remark("gradient_norm", f"unsupported: the network cannot be differentiated twice: {error}")
            return {}

    def _ascend(
        self, network: nn.Module, weights: Sequence[Tensor], batch: tuple[Tensor, Tensor], context: Context
    ) -> float:
        """Move ``weights`` and return the largest norm met; its end is early where a candidate is rejected anyway."""
        rules = [Condition.parse(text.replace(".*", "")) for text in self.options.reject]
        ends = [rule for rule in rules if rule.metric == "gradient_norm" and rule.comparison in (">", ">=")]
        largest = 0.0
        for step in range(self.options.steps + 1):
            context.check()
            squared = _squared_norm(network, weights, batch, context.task)
            norm = math.sqrt(float(squared.detach()))
            if not math.isfinite(norm):
                context.remark("gradient_norm", f"the gradient is not finite after {step} steps of ascent")
                return NOT_FINITE
            largest = max(largest, norm)
            if step == self.options.steps or any(rule.holds({"gradient_norm": largest}) for rule in ends):
                break
            if not squared.requires_grad:
                break  # the gradient does not depend on the weights
            directions = torch.autograd.grad(squared, weights, allow_unused=True)
            if not _move(weights, directions, self.options.step_size):
                context.remark("gradient_norm", f"the second derivative is not finite after {step} steps of ascent")
                return NOT_FINITE
        return largest


def _squared_norm(network: nn.Module, weights: Sequence[Tensor], batch: tuple[Tensor, Tensor], task: Task) -> Tensor:
    """Return the squared norm of the gradient with respect to ``weights``, differentiable itself where it can be."""
    inputs, targets = batch
    loss = task.loss(network(inputs), targets)
    if not loss.requires_grad:
        return torch.zeros(())
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    return torch.stack([gradient.square().sum() for gradient in gradients if gradient is not None] or [loss * 0]).sum()


@torch.no_grad()
def _move(weights: Sequence[Tensor], directions: tuple[Tensor | None, ...], share: float) -> bool:
    """Move each weight along its direction and back to its norm; ``False`` where a direction is not finite.

    A weight of zeros has no norm to take a share of, and stays; so does one that the loss does not depend on.
    """
    for weight, direction in zip(weights, directions, strict=True):
        if direction is None:
            continue
        largest = direction.abs().max()
        if not torch.isfinite(largest):
            return False
        norm = weight.norm()
        if largest > 0 and norm > 0:
            scaled = direction / largest  # so that the norm of a large direction does not overflow
            weight.add_(scaled, alpha=float(share * norm / scaled.norm()))
            weight.mul_(norm / weight.norm())
    return True
