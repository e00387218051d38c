"""Norm of the gradient of the loss [1].

[1] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar

from automl import BaseOptions, Bench, Metric, Need, Proxy, Reading
from automl_plugins.proxies._saliency import SaliencyOptions, weights_and_gradients


class GradNorm(Proxy):
    """Sum over the parameter tensors of the Euclidean norm of the gradient of the mean loss.

    It is the sum of the layers' norms, as published, not the norm of the whole gradient.

    >>> GradNorm.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = SaliencyOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("grad_norm", "max", doc="Sum of the layers' gradient norms."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"gradients"})
    needs_targets: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        pairs = weights_and_gradients(bench, self.options.parameters)
        return sum(float(gradient.double().norm()) for _, gradient in pairs)
