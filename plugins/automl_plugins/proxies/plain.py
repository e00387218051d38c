"""Signed saliency of the weights [1].

[1] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar

from automl import BaseOptions, Bench, Metric, Need, Proxy, Reading
from automl_plugins.proxies._saliency import SaliencyOptions, weights_and_gradients


class Plain(Proxy):
    """Sum of ``θ ∘ ∂L/∂θ`` over the weights, L the mean loss.

    Weights in front of batch normalisation contribute exactly nothing, because scaling them changes nothing (Euler's
    theorem); so with batch statistics this is the share of the few other weights, and small. It is signed, and its
    published rank correlations are weak and often negative.

    >>> Plain.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = SaliencyOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("plain", "max", doc="Sum of weight x gradient."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    needs_targets: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        pairs = weights_and_gradients(bench, self.options.parameters)
        return sum(float((weight.double() * gradient.double()).sum()) for weight, gradient in pairs)
