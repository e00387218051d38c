"""Exact costs of a network that need no weights: parameters, and the arithmetic of one forward pass.

The network is built on PyTorch's meta device, where tensors have a shape and no memory, and one example is
sent through it (`automl_plugins.evaluators._counting`).

**Convention.** ``flops`` are multiply-accumulate operations of convolutions and matrix products for one
example: half of what `FlopCounterMode` reports. That is what most papers on mobile networks call FLOPs.
Biases, normalisation, activations and pooling are not counted. The tables of NAS-Bench-201 count those too: 3
per output value of ReLU and batch normalisation together, 9 per output value of 3x3 pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from automl import Candidate, Context, Evaluator, Metric, Task
from automl_plugins.evaluators._counting import multiply_accumulates


class Cost(Evaluator):
    """Trainable parameters, and multiply-accumulates of one forward pass, without allocating the network.

    >>> [metric.name for metric in Cost.declared]
    ['params', 'flops']
    """

    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("params", "min", "", "Trainable parameters, shared ones once."),
        Metric("flops", "min", "MAC", "Multiply-accumulates of convolutions and matrix products, one example."),
    )

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``params`` and ``flops``."""
        return self.declared

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build the candidate on the meta device and count."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = candidate.space.build(candidate.blueprint, context.task).eval()
        example = torch.empty((1, *context.task.input_shape), device="meta")
        flops = multiply_accumulates(lambda: module(example))
        params = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
        return {"params": float(params), "flops": float(flops)}
