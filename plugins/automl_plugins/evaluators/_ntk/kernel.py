"""The empirical neural tangent kernel as a value, and the sums of products that it is made of.

Θ[n, c, m, d] = ⟨∂f_c(x_n)/∂θ, ∂f_d(x_m)/∂θ⟩ for a network f with outputs c, d on examples n, m [1].

[1] Jacot, Gabriel and Hongler. Neural tangent kernel. NeurIPS 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor

Reduction: TypeAlias = Literal["sum_logits", "trace", "full", "diagonal"]
BnMode: TypeAlias = Literal["frozen", "batch"]
Parameters: TypeAlias = Literal["all", "weights"]
Method: TypeAlias = Literal["auto", "layerwise", "vmap", "loop"]

# Columns of the products that are formed at a time in single precision.
_BLOCK = 4096
# Numbers in double precision whose products are formed at a time: a quarter of a core's cache on a CPU.
_WIDE = 2**16
# Rows of a diagonal block, when only one triangle is computed.
_ROWS = 64
# From so many rows on, products are formed in single precision: in double precision they would take longest of all.
_MANY_ROWS = 160


class Unsupported(Exception):
    """A method cannot treat the network; another may."""


@dataclass(frozen=True)
class Kernel:
    """An empirical neural tangent kernel and how it was found.

    Attributes:
        matrix: float64, on the CPU: `(N, N)`; of ``full`` `(N, C, N, C)`; of ``diagonal`` `(N,)`.
        reduction: ``sum_logits``: the kernel of Σ_c f_c, which is the sum of the full one over both outputs; ``trace``:
            Σ_c Θ[n, c, m, c] / C; ``full``: Θ; ``diagonal``: Θ[n, n] of ``sum_logits``.
        output: number of the one output that the kernel is of, instead of the sum; or ``None``.
        bn_mode: ``frozen`` or ``batch`` statistics of batch normalisation.
        parameters: ``all`` trainable ones, or those with ``weight`` in their name.
        method: ``layerwise``, ``vmap`` or ``loop``.
        passes: forward and backward passes through the network, whatever the number of examples in them.
        epsilon: eigenvalues below this share of the largest are rounding errors.
    """

    matrix: Tensor
    reduction: Reduction = "sum_logits"
    output: int | None = None
    bn_mode: BnMode = "frozen"
    parameters: Parameters = "all"
    method: str = "auto"
    passes: int = 0
    epsilon: float = 1e-10


class Gram:
    """Sums products of rows, in double precision: a matrix, or its diagonal alone.

    Products of up to 160 rows are formed in double precision, once enough columns have come together; those of more, as
    in the full kernel, in single precision over 4,096 columns, unless the rows have double precision themselves.
    """

    def __init__(self, rows: int, device: torch.device, *, is_diagonal: bool = False) -> None:
        shape = (rows,) if is_diagonal else (rows, rows)
        self._sum = torch.zeros(shape, dtype=torch.float64, device=device)
        self._is_diagonal = is_diagonal
        self._wide: Tensor | None = None
        self._filled = 0

    def add(self, rows: Tensor) -> None:
        """Add the products of ``rows``, `(rows, parameters)`."""
        if self._is_diagonal:
            for part in _blocks(rows):
                self._sum += part.double().square().sum(1)
        elif rows.dtype is torch.float64:
            self._sum.addmm_(rows, rows.T)
        elif len(rows) < _MANY_ROWS:
            self._collect(rows)
        else:
            for part in _blocks(rows):
                for start in range(0, len(part), _ROWS):
                    stop = min(start + _ROWS, len(part))
                    self._sum[start:stop, :stop] += part[start:stop] @ part[:stop].T

    def add_products(self, products: Tensor) -> None:
        """Add products that were formed elsewhere, `(rows, rows)`."""
        self._sum += products.diagonal() if self._is_diagonal else products

    def _collect(self, rows: Tensor) -> None:
        """Put rows beside those that wait for their products, in double precision, a cacheful at a time."""
        if self._wide is None:
            self._wide = torch.empty(len(rows), _WIDE // len(rows), dtype=torch.float64, device=rows.device)
        taken, columns, most = 0, rows.shape[1], self._wide.shape[1]
        while taken < columns:
            count = min(columns - taken, most - self._filled)
            self._wide[:, self._filled : self._filled + count].copy_(rows[:, taken : taken + count])
            taken += count
            self._filled += count
            if self._filled == most:
                self._multiply()

    def _multiply(self) -> None:
        """Add the products of the rows that wait."""
        if self._wide is not None and self._filled:
            wide = self._wide[:, : self._filled]
            self._sum.addmm_(wide, wide.T)
            self._filled = 0

    def total(self) -> Tensor:
        """Return the sum, exactly symmetric."""
        if self._is_diagonal:
            return self._sum
        self._multiply()
        lower = self._sum.tril()
        return lower + lower.tril(-1).T


def _blocks(rows: Tensor) -> Iterator[Tensor]:
    for start in range(0, rows.shape[1], _BLOCK):
        yield rows[:, start : start + _BLOCK]


def epsilon_of(rows: int, dtype: torch.dtype) -> float:
    """Return the share of the largest eigenvalue below which eigenvalues are rounding errors.

    Rows with relative errors of u, 64 of them at worst, change singular values by as much, and eigenvalues by the
    square; a product formed in precision v has errors of v times the number of rows.
    """
    own = (64 * torch.finfo(dtype).eps) ** 2
    is_single = rows >= _MANY_ROWS and dtype is not torch.float64
    return max(own, rows * torch.finfo(torch.float32 if is_single else torch.float64).eps)
