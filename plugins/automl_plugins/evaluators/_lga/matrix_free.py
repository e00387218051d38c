"""Label-gradient alignment without the kernel, from as many backward passes as there are classes, and a few.

With Θ = JJᵀ and orthonormal columns D over the examples, DᵀΘD = (JᵀD)ᵀ(JᵀD) takes a backward pass per column, through
the whole batch, so that it is exact where examples are coupled by batch normalisation too. Two blocks of columns:

* Q spans the vector of ones and the labels. QᵀΘQ has all of ⟨Θ, L⟩ = tr(QᵀΘQ · QᵀLQ) and of the mean of Θ, exactly; of
  C classes it is C columns, as in Σ_c ‖Jᵀy_c‖².
* Z are random orthonormal **probes** of the rest of the space, of dimension d = N - |Q|. They are for ‖Θ‖ alone: in a
  random basis all entries off the diagonal are alike, and so are those on it, so

      ‖Θ‖² = ‖QᵀΘQ‖² + 2 d E‖QᵀΘz‖² + d E(zᵀΘz)² + d (d - 1) E(zᵀΘz')².

  Means over p probes are unbiased, and exact where p = d.

Deviation from the usual estimate of a norm, by products ΘZ of a backward and a forward-mode pass (Hutchinson's): the
products ZᵀΘZ need backward passes alone, so any network will do, and of pairs of probes there are many. What is known
exactly is the part that dominates: kernels have one great eigenvalue, close to the direction of ones, on which random
probes disagree most (the idea of [1]).

[1] Meyer et al. Hutch++: optimal stochastic trace estimation. SOSA 2021.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from automl import Unmeasurable, logits_of
from automl_plugins.evaluators._lga.alignment import FLOOR, Centring, bounded, centred, check_kernel, check_labels
from automl_plugins.evaluators._ntk.kernel import BnMode, Parameters, Reduction
from automl_plugins.evaluators._ntk.networks import Problem, batch_statistics, calibrated, own_randomness, problem_of

LEAST_PROBES = 3
"""With fewer there is no standard error."""

_RANK = 1e-10
# Parameters whose gradients are in double precision at once.
_BLOCK = 2**16


@dataclass(frozen=True)
class Projected:
    """A kernel seen through orthonormal columns: first those of the labels, then probes.

    Attributes:
        gram: DᵀΘD, `(columns, columns)`, float64.
        labels: QᵀLQ, `(label columns, label columns)`; the first column of Q is constant.
        size: number of examples.
        passes: backward passes that it took.
    """

    gram: Tensor
    labels: Tensor
    size: int
    passes: int

    @property
    def probes(self) -> int:
        """Number of probes."""
        return len(self.gram) - len(self.labels)

    @property
    def is_exact(self) -> bool:
        """Whether the columns span the whole space, so that the norm is no estimate."""
        return len(self.gram) == self.size

    @property
    def mean(self) -> float:
        """Mean of the entries of Θ: ‖Jᵀ1‖² / N²."""
        return float(self.gram[0, 0]) / self.size

    def numerator(self, center: Centring = "mean") -> float:
        """Return ⟨Θ', L'⟩, both centred: exact."""
        known = self.gram[: len(self.labels), : len(self.labels)]
        products = known * self.labels
        if center == "double":
            return float(products[1:, 1:].sum())
        return float(products.sum() - products[0, 0])

    def squared_norm(self, center: Centring = "mean") -> tuple[float, float]:
        """Return the estimate of ‖Θ'‖² and its standard error (jackknife over the probes), 0 where it is exact."""
        every = torch.arange(self.probes)
        value = self._squared_norm(center, every)
        if self.is_exact:
            return value, 0.0
        count = self.probes
        left = torch.tensor([self._squared_norm(center, every[every != one]) for one in range(count)])
        spread = (count - 1) / count * float((left.double() - left.double().mean()).square().sum())
        # Probes are drawn without replacement from a basis, as it were.
        return value, math.sqrt(spread * (1 - count / (self.size - len(self.labels))))

    def alignment(self, center: Centring = "mean", *, floor: float = FLOOR) -> tuple[float, float]:
        """Return the alignment, in [-1, 1], and its standard error.

        Raises:
            Unmeasurable: as `automl_plugins.evaluators._lga.alignment.alignment` does.
        """
        if not torch.isfinite(self.gram).all():
            raise Unmeasurable("not_finite", "the kernel has entries that are not finite")
        labels = self.labels.clone()
        labels[0, 0] = 0
        label_norm = float((labels[1:, 1:] if center == "double" else labels).norm())
        check_labels(label_norm, float(self.labels.norm()))
        squared, error = self.squared_norm(center)
        norm = math.sqrt(squared)
        check_kernel(norm, math.sqrt(squared + self._constant_part(center)), floor)
        value = bounded(self.numerator(center) / (norm * label_norm))
        return value, abs(value) * error / (2 * squared)

    def _constant_part(self, center: Centring) -> float:
        """Return what centring takes from ‖Θ‖², as far as it is known."""
        k = len(self.labels)
        first = float(self.gram[0, 0]) ** 2
        return first if center == "mean" else first + 2 * float(self.gram[0, 1:k].square().sum())

    def _squared_norm(self, center: Centring, chosen: Tensor) -> float:
        """Return the estimate from the ``chosen`` probes, none of whose terms is negative."""
        start, k, rest = int(center == "double"), len(self.labels), self.size - len(self.labels)
        squares = self.gram.square()
        total = squares[start:k, start:k].sum() - (squares[0, 0] if center == "mean" else 0.0)
        if rest == 0:
            return float(total)
        picked = k + chosen
        count = len(picked)
        own = squares[picked[:, None], picked]
        total = total + 2 * rest / count * squares[start:k, picked].sum() + rest / count * own.trace()
        if rest > 1:
            total = total + rest * (rest - 1) / (count * (count - 1)) * (own.sum() - own.trace())
        return float(total)


def label_basis(labels: Tensor) -> Tensor:
    """Return orthonormal columns `(examples, columns)`: the constant one, then those that span the centred labels."""
    size = len(labels)
    values, vectors = torch.linalg.eigh(centred(labels.double(), "double"))
    kept = vectors[:, values.abs() > _RANK * values.abs().max()] if float(values.abs().max()) > 0 else vectors[:, :0]
    ones = torch.full((size, 1), size**-0.5, dtype=torch.float64)
    kept = kept - ones @ (ones.T @ kept)
    return torch.cat([ones, torch.linalg.qr(kept).Q], 1)


def with_probes(basis: Tensor, probes: int, generator: torch.Generator) -> Tensor:
    """Return ``basis`` and random orthonormal columns beside it: ``probes``, at least three, or all there are."""
    size, known = basis.shape
    count = min(max(probes, LEAST_PROBES), size - known)
    drawn = torch.randn(size, count, generator=generator, dtype=torch.float64)
    drawn = drawn - basis @ (basis.T @ drawn)
    columns = torch.linalg.qr(drawn).Q
    # Once more: what rounding has left of the basis in them.
    return torch.cat([basis, torch.linalg.qr(columns - basis @ (basis.T @ columns)).Q], 1)


def matrix_free(
    network: nn.Module,
    inputs: object,
    labels: Tensor,
    *,
    probes: int = 16,
    seed: int = 0,
    reduction: Reduction = "sum_logits",
    bn_mode: BnMode = "batch",
    parameters: Parameters = "all",
    check: Callable[[], None] = lambda: None,
) -> Projected:
    """Return what alignment needs of the kernel of ``network`` on ``inputs``, without forming it.

    Args:
        network: any module; it is copied, and not changed.
        inputs: a tensor, positional or keyword arguments, as of `empirical_ntk`.
        labels: L, `(examples, examples)`.
        probes: how many, for the norm; all directions where there are no more.
        seed: of the probes.
        reduction: ``sum_logits``, or ``trace``, which takes a pass for each column and output.
        bn_mode: as of `empirical_ntk`.
        parameters: as of `empirical_ntk`.
        check: called before every pass; may raise to end it all.

    Raises:
        Unmeasurable: the network has no such parameters, cannot be copied, or mixes up examples in its outputs.
    """
    basis = label_basis(labels)
    columns = with_probes(basis, probes, torch.Generator().manual_seed(seed))
    gram, passes = projected(
        network, inputs, columns, reduction=reduction, bn_mode=bn_mode, parameters=parameters, check=check
    )
    return Projected(gram, basis.T @ labels.double() @ basis, len(labels), passes)


def projected(
    network: nn.Module,
    inputs: object,
    columns: Tensor,
    *,
    reduction: Reduction = "sum_logits",
    bn_mode: BnMode = "batch",
    parameters: Parameters = "all",
    check: Callable[[], None] = lambda: None,
) -> tuple[Tensor, int]:
    """Return DᵀΘD for any columns D `(examples, columns)`, and the backward passes that it took.

    Memory: one gradient of all parameters per column.
    """
    problem = problem_of(network, inputs, logits_of, bn_mode, parameters)
    own = list(problem.parameters.values())
    with own_randomness(own[0].device), torch.inference_mode(False), torch.enable_grad():
        logits = _logits(problem)
        outputs = logits.shape[1] if reduction == "trace" else 1
        gram = torch.zeros(columns.shape[1], columns.shape[1], dtype=torch.float64, device=logits.device)
        directions = columns.to(logits.device, logits.dtype)
        for output in range(outputs):
            summed = logits[:, output] if reduction == "trace" else logits.sum(1)
            gram += _products(summed, own, directions, check)
    return gram.cpu() / outputs, outputs * columns.shape[1]


def _logits(problem: Problem) -> Tensor:
    if problem.bn_mode == "frozen":
        calibrated(problem)
        return problem.logits(problem.batch)
    with batch_statistics(problem.network):
        return problem.logits(problem.batch)


def _products(outputs: Tensor, parameters: list[nn.Parameter], directions: Tensor, check: Callable[[], None]) -> Tensor:
    """Return the products of the gradients of ``outputs`` along each direction."""
    if not outputs.requires_grad:
        raise Unmeasurable("undefined", "the outputs depend on no parameter, so there is no tangent kernel")
    found: list[list[Tensor]] = [[] for _ in parameters]
    for direction in directions.T:
        check()
        gradients = torch.autograd.grad(outputs, parameters, direction, retain_graph=True, allow_unused=True)
        for rows, gradient in zip(found, gradients, strict=True):
            if gradient is not None:
                rows.append(gradient.flatten())
    total = torch.zeros(len(directions.T), len(directions.T), dtype=torch.float64, device=outputs.device)
    while found:
        # Gradients are forgotten as they are used.
        rows = found.pop()
        for start in range(0, len(rows[0]) if rows else 0, _BLOCK):
            wide = torch.stack([row[start : start + _BLOCK] for row in rows]).double()
            total.addmm_(wide, wide.T)
    return total
