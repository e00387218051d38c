"""Norm of the weights [1].

[1] Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from automl import BaseOptions, Bench, Metric, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._reachable import CountOptions, counted


class L2NormOptions(CountOptions):
    """Options of `L2Norm`."""

    parameters: Literal["weights", "all"] = "weights"
    """`weights` have two axes or more: those of convolutions and linear layers, as published, and of embeddings and
    recurrent and attention layers; `all` has biases and the gains of normalisation too."""


class L2Norm(Proxy):
    """Sum over the parameter tensors of the Euclidean norm of the parameters.

    Deviation: tensors that the outputs do not depend on are left out unless ``count="all"``, since published codes that
    mask operations count those too.

    >>> L2Norm.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Abdelfattah et al. Zero-cost proxies for lightweight NAS. ICLR 2021."
    Options: ClassVar[type[BaseOptions]] = L2NormOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("l2_norm", "max", doc="Sum of the layers' weight norms."),)
    bn_mode: ClassVar[Literal["batch", "frozen", "none"]] = "none"

    def measure(self, bench: Bench, observer: Any) -> Reading:
        found = counted(bench, self.options.parameters, self.options.count)
        if not found:
            raise Unmeasurable("unsupported", "the outputs depend on no trainable parameter of the chosen ones")
        return sum(_norm(parameter.detach()) for parameter in found.values())


def _norm(parameter: Tensor) -> float:
    parts = torch.view_as_real(parameter) if parameter.is_complex() else parameter
    return float(parts.double().norm())
