"""Measuring the alignment of a network on one batch, by the kernel or without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn

from automl import Unmeasurable
from automl_plugins.evaluators._lga.alignment import FLOOR, Centring, alignment, centred, check_labels
from automl_plugins.evaluators._lga.matrix_free import label_basis, matrix_free
from automl_plugins.evaluators._ntk import BnMode, Parameters, Reduction, empirical_ntk
from automl_plugins.evaluators._ntk.networks import is_batch_norm

Route: TypeAlias = Literal["auto", "explicit", "matrix_free"]

SINGLE_FLOOR = 1e-6
"""`FLOOR` of a kernel whose gradients are in single precision."""


@dataclass(frozen=True, slots=True)
class Aligned:
    """An alignment, how it was found, and its standard error: 0 unless the norm of the kernel is an estimate."""

    value: float
    error: float
    method: Literal["explicit", "matrix_free"]


@dataclass(frozen=True)
class Gauge:
    """Measures networks on one batch.

    Attributes:
        inputs: of the batch.
        labels: label kernel of the batch.
        center, bn_mode, parameters, reduction, probes: as `alignment`, `empirical_ntk` and `matrix_free` have them.
        route: which way; ``auto`` forms the kernel, which takes one pass, unless batch normalisation couples the
            examples, so that it takes one for each, and the other way takes a quarter of them at most.
        seed: of the probes.
        check: called now and then; may raise to end it all.
    """

    inputs: Tensor
    labels: Tensor
    center: Centring = "mean"
    bn_mode: BnMode = "frozen"
    parameters: Parameters = "all"
    reduction: Reduction = "sum_logits"
    route: Route = "auto"
    probes: int = 16
    seed: int = 0
    check: Callable[[], None] = lambda: None

    def check_labels(self) -> None:
        """Raise `Unmeasurable` where nothing can align with the labels, whatever the network."""
        check_labels(float(centred(self.labels, self.center).norm()), float(self.labels.norm()))

    def measure(self, network: nn.Module) -> Aligned | Unmeasurable:
        """Return the alignment of ``network``, which is not changed, or why it has none."""
        self.check()
        try:
            return self._matrix_free(network) if self._is_matrix_free(network) else self._explicit(network)
        except Unmeasurable as reason:
            return reason

    def _explicit(self, network: nn.Module) -> Aligned:
        kernel = empirical_ntk(
            network, self.inputs, reduction=self.reduction, bn_mode=self.bn_mode, parameters=self.parameters
        )
        value = alignment(kernel.matrix, self.labels, self.center, floor=_floor(network))
        return Aligned(value, 0.0, "explicit")

    def _matrix_free(self, network: nn.Module) -> Aligned:
        found = matrix_free(
            network,
            self.inputs,
            self.labels,
            probes=self.probes,
            seed=self.seed,
            reduction=self.reduction,
            bn_mode=self.bn_mode,
            parameters=self.parameters,
            check=self.check,
        )
        value, error = found.alignment(self.center, floor=_floor(network))
        return Aligned(value, error, "matrix_free")

    def _is_matrix_free(self, network: nn.Module) -> bool:
        if self.route != "auto":
            return self.route == "matrix_free"
        is_coupled = self.bn_mode == "batch" and any(is_batch_norm(module) for module in network.modules())
        return is_coupled and 4 * self._columns <= len(self.labels)

    @cached_property
    def _columns(self) -> int:
        """Backward passes of the way without the kernel, for each output that is looked at alone."""
        return label_basis(self.labels).shape[1] + self.probes


def _floor(network: nn.Module) -> float:
    is_double = all(parameter.dtype is torch.float64 for parameter in network.parameters())
    return FLOOR if is_double else SINGLE_FLOOR
