"""Label-gradient alignment [1]: the correlation between the entries of a tangent kernel and of a label kernel.

[1] Mok et al. Demystifying the neural tangent kernel from a practical perspective: can it be trusted for neural
    architecture search without training? CVPR 2022.
[2] Cortes, Mohri and Rostamizadeh. Algorithms for learning kernels based on centered alignment. JMLR 2012.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from automl import Unmeasurable

Centring: TypeAlias = Literal["mean", "double"]

FLOOR = 1e-12
"""A kernel in double precision whose centred norm is below this share of its norm is constant."""


def alignment(kernel: Tensor, labels: Tensor, center: Centring = "mean", *, floor: float = FLOOR) -> float:
    """Return the alignment of two kernels, in [-1, 1]: ⟨Θ', L'⟩ / (‖Θ'‖ ‖L'‖), where ' is centred.

    ``mean`` subtracts the mean of all entries, as [1] does, so that a positive factor and a constant added to either
    kernel change nothing. ``double`` is HΘH with H = I - 11ᵀ/N, the centred kernel alignment of [2], to which anything
    that is constant along rows or columns means nothing either.

    Args:
        kernel: Θ, symmetric, `(examples, examples)`.
        labels: L, of the same shape.
        center: what centring means.
        floor: where the norm of centred Θ is below this share of the norm of Θ, Θ is constant up to rounding.

    Raises:
        Unmeasurable: ``undefined`` where either kernel is constant, as L is of examples of one class;
            ``not_finite`` where Θ is.
        ValueError: they are not square matrices of one size.

    >>> labels = torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    >>> alignment(3 * labels + 5, labels)
    1.0
    """
    if kernel.ndim != 2 or kernel.shape[0] != kernel.shape[1] or kernel.shape != labels.shape:
        raise ValueError(f"kernels of shapes {tuple(kernel.shape)} and {tuple(labels.shape)} cannot be aligned")
    given, wanted = kernel.detach().cpu().double(), labels.detach().cpu().double()
    if not torch.isfinite(given).all():
        raise Unmeasurable("not_finite", "the kernel has entries that are not finite")
    one, other = centred(given, center), centred(wanted, center)
    check_labels(float(other.norm()), float(wanted.norm()))
    check_kernel(float(one.norm()), float(given.norm()), floor)
    # Unit matrices first: the product of two large norms could overflow.
    return bounded(float(((one / one.norm()) * (other / other.norm())).sum()))


def centred(matrix: Tensor, center: Centring) -> Tensor:
    """Return ``matrix`` without the mean of its entries, or without those of its rows and columns."""
    if center == "mean":
        return matrix - matrix.mean()
    return matrix - matrix.mean(0) - matrix.mean(1)[:, None] + matrix.mean()


def check_labels(centred_norm: float, norm: float) -> None:
    """Raise `Unmeasurable` where labels differ in nothing."""
    if centred_norm <= FLOOR * norm:
        raise Unmeasurable("undefined", "all examples of the batch have the same label, so nothing can align")


def check_kernel(centred_norm: float, norm: float, floor: float = FLOOR) -> None:
    """Raise `Unmeasurable` where a kernel is constant, up to ``floor``."""
    if centred_norm <= floor * norm:
        raise Unmeasurable("undefined", "the kernel is constant: all examples have the same gradients")


def bounded(value: float) -> float:
    """Return ``value`` within [-1, 1], which rounding may leave."""
    return min(1.0, max(-1.0, value))
