"""ZiCo [1]: how large the gradients of several batches are beside how much they differ.

[1] Li, Yang, Bhardwaj and Marculescu. ZiCo: Zero-shot NAS via inverse coefficient of variation on gradients. ICLR 2023.
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl import BaseOptions, Batch, Bench, Criterion, Metric, Proxy, Reading, Unmeasurable, trainable
from automl_plugins.proxies._saliency import SaliencyOptions


class ZicoOptions(SaliencyOptions):
    """Options of `Zico`."""

    batches: int = Field(default=2, ge=2)
    """Parts that the batch is split into; published: 2 batches of a data loader."""


class Zico(Proxy):
    """Sum over the parameter tensors of ln Σ mean(|g|) / std(g), over the parts of the batch [1].

    The gradients g are of the mean loss on each part, of one network in one state. The standard deviation is that of
    the whole population, as published (n in the denominator): of two parts it is half the difference, whose sign does
    not count. Parameters without deviation are left out, as published, and so are tensors where all are. Multiplying
    the loss by a number changes nothing but rounding.

    Deviations from [1]: the parts are disjoint parts of the one batch, not batches of their own, so that all proxies
    see the same data; all parameters with two axes or more count, not those of convolutions and linear layers alone;
    tensors that the loss does not depend on are left out, where the published code fails.

    >>> ZicoOptions().batches
    2
    """

    paper: ClassVar[str] = "Li et al. ZiCo: Zero-shot NAS via inverse coefficient of variation on gradients. ICLR 2023."
    Options: ClassVar[type[BaseOptions]] = ZicoOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("zico", "max", doc="Sum of the layers' logarithms of gradient size over gradient deviation."),
    )
    needs_targets: ClassVar[bool] = True

    def refusal(self, batch: Batch, criterion: Criterion) -> Unmeasurable | None:
        """Refuse batches that leave fewer than two examples for a part, of which no batch statistics can be had."""
        parts = self.options.batches
        if batch.size < 2 * parts:
            return Unmeasurable("undefined", f"{parts} parts need {2 * parts} examples, and the batch has {batch.size}")
        return super().refusal(batch, criterion)

    def measure(self, bench: Bench, observer: Any) -> Reading:
        network, parts = bench.fresh(), self.options.batches
        chosen = trainable(network, self.options.parameters)
        found: list[dict[str, Tensor]] = []
        for part in torch.arange(bench.batch.size, device=bench.device).tensor_split(parts):
            gradients = bench.gradients_of(bench.batch.select(part), network)
            found.append({name: gradient for name, gradient in gradients.items() if name in chosen})
            if not all(bool(gradient.isfinite().all()) for gradient in found[-1].values()):
                return Unmeasurable("not_finite", "the loss has gradients that are not finite")
            bench.check()
        common = [name for name in found[0] if all(name in gradients for gradients in found)]
        sums = [_signal_to_noise([gradients[name] for gradients in found]) for name in common]
        positive = torch.tensor([total for total in sums if total > 0], dtype=torch.float64)
        if not len(positive):
            return Unmeasurable("undefined", "no gradient of a parameter differs between the parts of the batch")
        return float(positive.log().sum())


def _signal_to_noise(gradients: list[Tensor]) -> float:
    """Return the sum over a tensor's parameters of mean over deviation, where there is any deviation."""
    stacked = torch.stack(gradients).double()
    deviation = stacked.std(dim=0, correction=0)
    size = stacked.abs().mean(dim=0)
    varies = deviation > 0
    return float((size[varies] / deviation[varies]).sum())
