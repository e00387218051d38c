"""Exact costs of a network that need no weights: parameters, and the arithmetic of one forward pass.

The network is built on PyTorch's meta device, where tensors have a shape and no memory, and one example is
sent through it (`automl_plugins.evaluators._counting`).

**Convention.** ``flops`` are multiply-accumulate operations of convolutions and matrix products for one
example: half of what `FlopCounterMode` reports. That is what most papers on mobile networks call FLOPs.
Biases, normalisation, activations and pooling are not counted. The tables of NAS-Bench-201 count those too: 3
per output value of ReLU and batch normalisation together, 9 per output value of 3x3 pooling.

Where layers do much besides products, as those of `kan`, ``flops`` are no measure. ``operations``, on demand, are all
arithmetic, a multiply-accumulate being two of them (`automl_plugins.evaluators._operations`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch

from automl import BaseOptions, Candidate, Context, Evaluator, EvaluatorOptions, Metric, Task
from automl_plugins.evaluators._counting import multiply_accumulates
from automl_plugins.evaluators._operations import operations


class CostOptions(EvaluatorOptions):
    """Options of `Cost`."""

    operations: bool = False
    """Whether all arithmetic is counted, too, as the metric `operations`: activations, normalisation, and the functions
    on the edges of Kolmogorov-Arnold networks."""


class Cost(Evaluator):
    """Trainable parameters, and multiply-accumulates of one forward pass, without allocating the network.

    >>> [metric.name for metric in Cost.declared]
    ['params', 'flops']
    """

    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("params", "min", "", "Trainable parameters, shared ones once."),
        Metric("flops", "min", "MAC", "Multiply-accumulates of convolutions and matrix products, one example."),
    )
    on_demand: ClassVar[Metric] = Metric("operations", "min", "", "All arithmetic of one example.")
    Options: ClassVar[type[BaseOptions]] = CostOptions

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``params`` and ``flops``, and ``operations`` on demand."""
        return (*self.declared, self.on_demand) if self.options.operations else self.declared

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build the candidate on the meta device and count."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = candidate.make(context.task).eval()
        example = torch.empty((1, *context.task.input_shape), device="meta")
        flops = multiply_accumulates(lambda: module(example))
        params = sum(weight.numel() for weight in module.parameters() if weight.requires_grad)
        found = {"params": float(params), "flops": float(flops)}
        if self.options.operations:
            found["operations"] = float(operations(module, example))
        return found
