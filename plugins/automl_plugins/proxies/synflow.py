"""Synaptic flow [1], summed over the network [2].

[1] Tanaka et al. Pruning neural networks without any data by iteratively conserving synaptic flow. NeurIPS 2020.
[2] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from automl import BaseOptions, Bench, Metric, Proxy, Reading
from automl_plugins.proxies._flow import flow
from automl_plugins.proxies._saliency import SaliencyOptions


class SynflowOptions(SaliencyOptions):
    """Options of `Synflow`."""

    bypass: Literal["all", "batch"] = "all"
    """Normalisation that is passed by: `all` kinds, or that of batches alone, as in the code of [2]."""


class Synflow(Proxy):
    """Natural logarithm of the sum of ``|θ ∘ ∂R/∂θ|`` with ``R = 1ᵀ f(1; |θ|)``, normalisation bypassed.

    Eq. 2 of [1]. All parameters become positive, biases too; the sum is over the chosen ones. The input is ones, for
    one example, and for tokens embeddings give ones. It is computed in float64, and where a network is too deep for
    that, with an exponent kept beside each tensor (``method`` says so), which is exact as long as the operations are
    homogeneous: chains, residual and concatenated networks of convolutions, ReLU and pooling.

    Deviations: the logarithm, since the value itself exceeds every format; all kinds of normalisation are bypassed and
    not only that of batches, which layer normalisation would otherwise turn into a constant.

    >>> Synflow.is_logarithm
    True
    """

    paper: ClassVar[str] = "Tanaka et al. Pruning neural networks without any data. NeurIPS 2020."
    Options: ClassVar[type[BaseOptions]] = SynflowOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("synflow", "max", doc="Logarithm of the synaptic flow."),)
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "none"
    is_logarithm: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        return flow(bench, self.options.parameters, self.options.bypass, "frozen")
