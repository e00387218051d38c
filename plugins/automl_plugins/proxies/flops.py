"""Arithmetic of one forward pass: the baseline that every proxy is to be held against."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch

from automl import Bench, Metric, Proxy, Reading
from automl_plugins.evaluators._counting import multiply_accumulates


class Flops(Proxy):
    """Multiply-accumulates of convolutions and matrix products in a forward pass of one example.

    The convention is that of the evaluator `cost`: half of what `FlopCounterMode` of PyTorch reports; biases,
    normalisation, activations and pooling are not counted, nor is what is not executed. An example is the first of the
    batch, with the length that it has. It goes through a copy on the meta device, which computes nothing
    (``method`` is ``shapes``); a network that looks at values does so for real (``method`` is ``executed``).

    >>> Flops.declared[0].unit
    'MAC'
    """

    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("flops", "max", "MAC", "Multiply-accumulates of convolutions and matrix products, one example."),
    )
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "none"

    def measure(self, bench: Bench, observer: Any) -> Reading:
        bench.method = "shapes"
        try:
            return _counted(bench, torch.device("meta"))
        except (RuntimeError, NotImplementedError, ValueError, TypeError):
            # Values are looked at, or a tensor that is no buffer stayed on its device.
            bench.method = "executed"
            return _counted(bench, bench.device)


def _counted(bench: Bench, device: torch.device) -> float:
    network = bench.fresh("frozen").to(device)
    for parameter in network.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    batch = bench.batch.select(slice(0, 1)).to(device)
    with bench.seeded("flops"):
        is_meta = device.type == "meta"
        return float(multiply_accumulates(lambda: network(*batch.args, **batch.kwargs), on_meta=is_meta))
