"""The kernel of the labels: which examples should have gradients alike, for every kind of problem.

Classification is that of [1]; the others are the Gram matrix of what takes the place of the one-hot labels there.

[1] Mok et al. Demystifying the neural tangent kernel from a practical perspective: can it be trusted for neural
    architecture search without training? CVPR 2022.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from automl import ProblemKind, Unmeasurable

TokenTargets: TypeAlias = Literal["flattened", "pooled"]

IGNORED = -100
"""Target of a position that does not count, as in cross-entropy."""


def label_kernel(targets: Tensor, kind: ProblemKind | None, tokens: TokenTargets = "flattened") -> Tensor:
    """Return the label kernel L, `(examples, examples)`, symmetric, float64, on the CPU.

    * ``classification``: +1 where two examples are of one class, -1 elsewhere. Targets that are probabilities have
      their Gram matrix, which means the same: alignment is blind to a positive factor and a constant.
    * ``regression``: Gram matrix of the targets less their mean over the batch.
    * ``multi_label``: Gram matrix of the vectors of labels.
    * ``sequence``: ``flattened`` is the share of positions at which two examples have the same target; ``pooled`` the
      product of the shares that each target has in them, wherever it stands. Positions with target -100 count for
      neither.

    Targets of classification with an axis of positions, as of segmentation, are a sequence.

    Args:
        targets: `(examples, ...)`.
        kind: of the problem; ``None`` is told from the targets: whole numbers are classes.
        tokens: how sequences are compared.

    Raises:
        Unmeasurable: a target is not a finite number.

    >>> label_kernel(torch.tensor([0, 1, 0]), "classification")[0].tolist()
    [1.0, -1.0, 1.0]
    """
    values = targets.detach().cpu()
    if not torch.isfinite(values).all():
        raise Unmeasurable("not_finite", "the batch has targets that are not finite")
    is_numbers = values.is_floating_point()
    if kind == "regression" or (kind is None and is_numbers):
        rows = values.double().flatten(1) if values.ndim > 1 else values.double()[:, None]
        rows = rows - rows.mean(0)
        return rows @ rows.T
    if is_numbers or kind == "multi_label":
        rows = values.double().reshape(len(values), -1)
        return rows @ rows.T
    if values.ndim == 1:
        return 2.0 * (values[:, None] == values).double() - 1.0
    positions = values.flatten(1)
    if kind == "classification" and positions.shape[1] == 1:
        return label_kernel(positions[:, 0], kind)
    return _pooled(positions) if tokens == "pooled" else _flattened(positions)


def _flattened(positions: Tensor) -> Tensor:
    """Return the share of positions with equal targets; position by position, so that memory stays quadratic."""
    shared = torch.zeros(len(positions), len(positions), dtype=torch.float64)
    for column in positions.T:
        counts = column != IGNORED
        shared += (column[:, None] == column) & counts[:, None]
    return shared / positions.shape[1]


def _pooled(positions: Tensor) -> Tensor:
    """Return the products of the histograms of targets."""
    kept, numbers = torch.unique(positions, return_inverse=True)
    histograms = torch.zeros(len(positions), len(kept), dtype=torch.float64)
    histograms.scatter_add_(1, numbers, torch.ones(positions.shape, dtype=torch.float64))
    histograms = histograms[:, kept != IGNORED]
    shares = histograms / histograms.sum(1, keepdim=True).clamp_min(1)
    return shares @ shares.T
