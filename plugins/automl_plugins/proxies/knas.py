"""KNAS [1]: the mean of the Gram matrix of the examples' gradients.

[1] Xu, Zhao, Lin, Gao, Sun and Yang. KNAS: Green neural architecture search. ICML 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from automl import BaseOptions, Bench, Metric, Proxy, Reading, Unmeasurable, trainable
from automl_plugins.proxies._calibrated import calibrated


class KnasOptions(BaseOptions):
    """Options of `Knas`."""

    parameters: Literal["weights", "all"] = "all"
    """Parameters that gradients are taken by: `all`, or `weights`, those with two axes or more."""


class Knas(Proxy):
    """Mean over all pairs of examples, an example with itself included, of the product of their loss gradients.

    With g_i the gradient of the loss of example i, mean_ij <g_i, g_j> = ||Σ_i g_i||² / N²: the squared norm of the
    gradient of the mean loss. So it takes one backward pass, and no gradient of an example is ever formed. That holds
    where examples do not see each other, so the statistics of batch normalisation are frozen, set by a pass over the
    batch, and where the loss is the mean of the examples' losses; of another loss (a sequence whose examples count by
    their length) it is the gradient of that loss.

    Deviations: this is the formula of [1]. The published code is something else: it takes the first 100 entries of some
    eleven tensors, and a covariance between the two halves of 50 batches, with batch statistics.

    >>> Knas.bn_mode
    'frozen'
    """

    paper: ClassVar[str] = "Xu et al. KNAS: Green neural architecture search. ICML 2021."
    Options: ClassVar[type[BaseOptions]] = KnasOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("knas", "max", doc="Mean of the Gram matrix of the examples' loss gradients."),
    )
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "frozen"
    needs_targets: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        network = calibrated(bench)
        chosen = trainable(network, self.options.parameters)
        gradients = bench.gradients_of(bench.batch, network)
        found = [gradient.double() for name, gradient in gradients.items() if name in chosen]
        if not found:
            return Unmeasurable("unsupported", "the loss depends on no trainable parameter of the chosen ones")
        return sum(float(gradient.square().sum()) for gradient in found)
