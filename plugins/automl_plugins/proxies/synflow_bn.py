"""Synaptic flow with batch normalisation in place [1].

[1] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021. (A measure of its code.)
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from automl import BaseOptions, Bench, Metric, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._flow import flow
from automl_plugins.proxies._saliency import SaliencyOptions

_ROUNDING = math.log(1e-10)
"""Normalised values are about 1, so that less than this is what cancelling terms leave in float64."""


class SynflowBn(Proxy):
    """Natural logarithm of the sum of ``|θ ∘ ∂R/∂θ|`` with ``R = 1ᵀ f(1; |θ|)``, normalisation in place.

    Batch statistics are those of the one constant input, so that only what padding does at the border varies: the
    published definition, and a degenerate one. The absolute value is inside the sum, as published: with normalisation
    behind a layer, its signed terms add up to nothing. The value is undefined where a map has one position, which has
    no batch statistics, and where no padding makes a map vary, so that normalisation leaves nothing of it.

    >>> SynflowBn.is_logarithm
    True
    """

    paper: ClassVar[str] = "Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = SaliencyOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("synflow_bn", "max", doc="Logarithm of the synaptic flow, normalisation in place."),
    )
    is_logarithm: ClassVar[bool] = True

    def measure(self, bench: Bench, observer: Any) -> Reading:
        try:
            found = flow(bench, self.options.parameters, "none", "batch")
        except ValueError as error:
            if "more than 1" in str(error):
                raise Unmeasurable("undefined", "a single example has no batch statistics at one position") from error
            raise
        if found < _ROUNDING:
            raise Unmeasurable("undefined", "a constant input leaves nothing but rounding after batch normalisation")
        return found
