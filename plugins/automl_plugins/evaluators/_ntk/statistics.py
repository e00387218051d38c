"""What is reported of a kernel: spectrum, size, and how far apart two kernels are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from automl import Unmeasurable
from automl_plugins.evaluators._ntk.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Spectrum:
    """Eigenvalues of a kernel on examples (``full`` as the matrix of examples times outputs), in ascending order.

    >>> Spectrum.of(Kernel(torch.eye(3).double())).condition()
    1.0
    """

    eigenvalues: Tensor
    epsilon: float

    @classmethod
    def of(cls, kernel: Kernel) -> Spectrum:
        """Return the spectrum.

        Raises:
            Unmeasurable: the kernel is a diagonal alone, or holds a number that is not finite.
        """
        if kernel.reduction == "diagonal":
            raise Unmeasurable("unsupported", "the diagonal of a kernel has no spectrum; choose another reduction")
        if not torch.isfinite(kernel.matrix).all():
            raise Unmeasurable("not_finite", "the kernel has entries that are not finite")
        side = math.isqrt(kernel.matrix.numel())
        return cls(torch.linalg.eigvalsh(kernel.matrix.reshape(side, side)), kernel.epsilon)

    @property
    def smallest(self) -> float:
        """λ_min, which rounding may make negative."""
        return float(self.eigenvalues[0])

    @property
    def largest(self) -> float:
        """λ_max."""
        return float(self.eigenvalues[-1])

    def condition(self) -> float:
        """Return κ = λ_max / λ_min, at least 1.

        Raises:
            Unmeasurable: λ_min is below ``epsilon`` times λ_max, so that κ is rounding; or the kernel is zero.
        """
        if self.largest <= 0:
            raise Unmeasurable("singular", "the kernel is zero: no parameter changes the outputs")
        if self.smallest <= self.epsilon * self.largest:
            share = self.smallest / self.largest
            raise Unmeasurable(
                "ill_conditioned",
                f"the smallest eigenvalue is {share:.1e} of the largest, and below {self.epsilon:.1e} it is rounding",
            )
        return self.largest / self.smallest

    def effective_rank(self) -> float:
        """Return exp(−Σ p ln p) for p = λ / Σλ, between 1 and the size: the effective rank of [1].

        [1] Roy and Vetterli. The effective rank: a measure of effective dimensionality. EUSIPCO 2007. (There of
            singular values, which for a kernel are the eigenvalues.)

        Raises:
            Unmeasurable: the kernel is zero.
        """
        kept = self.eigenvalues.clamp_min(0)
        total = kept.sum()
        if total <= 0:
            raise Unmeasurable("singular", "the kernel is zero: no parameter changes the outputs")
        return float(torch.special.entr(kept / total).sum().exp())


def frobenius(kernel: Kernel) -> float:
    """Return the Frobenius norm; of a diagonal, its Euclidean norm."""
    return float(torch.linalg.vector_norm(kernel.matrix))


def kernel_mean(kernel: Kernel) -> float:
    """Return the mean of all entries."""
    return float(kernel.matrix.mean())


def kernel_trace(kernel: Kernel) -> float:
    """Return the sum over examples (and outputs, of ``full``) of the diagonal."""
    if kernel.reduction == "diagonal":
        return float(kernel.matrix.sum())
    side = math.isqrt(kernel.matrix.numel())
    return float(kernel.matrix.reshape(side, side).trace())


def kernel_distance(first: Kernel, second: Kernel) -> float:
    """Return S = 1 − ⟨Θ, Θ'⟩ / (‖Θ‖ ‖Θ'‖), from 0 (the same up to a factor) to 1, as in [1], Section 3.

    [1] Fort et al. Deep learning versus kernel learning. NeurIPS 2020.

    Raises:
        Unmeasurable: one of the kernels is zero.
        ValueError: their shapes or reductions differ.
    """
    if first.reduction != second.reduction or first.matrix.shape != second.matrix.shape:
        raise ValueError("kernels of two reductions or sizes cannot be compared")
    norms = frobenius(first) * frobenius(second)
    if norms == 0:
        raise Unmeasurable("singular", "a kernel is zero: no parameter changes the outputs")
    # Rounding can leave 1 − 1 slightly negative.
    return max(0.0, 1 - float((first.matrix * second.matrix).sum()) / norms)
