"""Saliency of single connections [1], summed over the network [2].

[1] Lee et al. SNIP: Single-shot network pruning based on connection sensitivity. ICLR 2019.
[2] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar

from automl import BaseOptions, Bench, Metric, Need, Proxy, Reading
from automl_plugins.proxies._saliency import SaliencyOptions, weights_and_gradients


class Snip(Proxy):
    """Sum of ``|θ ∘ ∂L/∂θ|`` over the weights, L the mean loss.

    Eq. 5 of [1] without its normalisation, as in [2]: the derivative of the loss by a mask on a weight, at a mask of
    ones, is the weight times its gradient. So nothing is masked here.

    >>> Snip.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Lee et al. SNIP. ICLR 2019."
    Options: ClassVar[type[BaseOptions]] = SaliencyOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("snip", "max", doc="Sum of |weight x gradient|."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    needs_targets: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        pairs = weights_and_gradients(bench, self.options.parameters)
        return sum(float((weight.double() * gradient.double()).abs().sum()) for weight, gradient in pairs)
