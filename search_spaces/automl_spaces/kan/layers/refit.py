"""Least squares from one basis to another: what keeps the function of a layer when its basis changes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from automl import ConfigurationError
from automl_spaces.kan.layers._spline import SplineBasis
from automl_spaces.kan.layers.basis import Basis, Family
from automl_spaces.kan.layers.layer import KanLayer

UNIFORM_SHARE = 0.02
"""Share of the uniform grid in an adaptive one, as in the code of pykan."""

_SMALLEST = 1e-5
"""Singular values below this share of the largest are dropped: networks compute in float32, in which the huge
coefficients of functions that look alike would not cancel."""

MOST_SAMPLES = 4096
"""Rows that a fit looks at; of more, evenly spread ones are taken."""


@torch.no_grad()
def transfer(old: Basis, new: Basis, old_rows: Tensor, new_rows: Tensor | None = None, *, bias: bool = False) -> Tensor:
    """Return the matrices ``T`` with ``new(z) T ≈ old(z)`` in the least-squares sense over rows.

    They depend on no coefficient, so that one small system for each input serves all outputs and all taps of a kernel.

    Args:
        old: basis that the functions are written in.
        new: basis that they are to be written in.
        old_rows: what ``old`` sees, `(rows, inputs)`.
        new_rows: what ``new`` sees of the same examples; the same by default.
        bias: let constants help, as the last row of ``T``.

    Returns:
        `(inputs, new size [+ 1], old size)`, in float64. Where rows do not determine it, the smallest.
    """
    seen = old_rows if new_rows is None else new_rows
    target = _values(old, old_rows).movedim(-1, 0)
    design = _values(new, seen).movedim(-1, 0)
    if bias:
        design = torch.cat([design, torch.ones_like(design[..., :1])], -1)
    solved: Tensor = torch.linalg.lstsq(design.cpu(), target.cpu(), rcond=_SMALLEST, driver="gelsd").solution
    return solved.to(old_rows.device)


@torch.no_grad()
def replace_basis(layer: KanLayer, new: Basis, old_rows: Tensor) -> None:
    """Give ``layer`` another basis of the same kind, its coefficients fitted to the old functions on ``old_rows``."""
    matrices = transfer(layer.basis, new, old_rows)
    coefficients = torch.einsum("inm,omi...->oni...", matrices.to(layer.coefficients), layer.coefficients)
    layer.basis = new
    weight = layer.product.weight
    assert isinstance(weight, nn.Parameter)
    if new.size * layer.inputs != weight.shape[1]:
        _widen(layer, new.size)
    layer.set_coefficients(coefficients)


def update_grid(layer: KanLayer, x: Tensor, uniform_share: float = UNIFORM_SHARE) -> None:
    """Move the grid of a spline layer to where its inputs are, and refit the coefficients on them.

    Knots are quantiles of each input, mixed with ``uniform_share`` of an even grid of the same range; 1 gives an even
    grid, which keeps the quick closed form. The layer keeps its function on ``x`` as well as the new grid can: exactly
    where the function is in both spaces. Fitted and stored are the coefficients with all factors in, so that a factor
    for each edge, which becomes 1, does not change the function, as it does in efficient-kan.

    Raises:
        ConfigurationError: it is no spline layer.
    """
    old = _spline(layer)
    rows = subsample(layer.normalised(x).detach())
    new = _like(layer.spec.family, layer, old)
    inner = _inner_knots(rows.double(), old.grid, uniform_share)
    new.set_knots(_extended(inner, old.order).to(rows), is_uniform=uniform_share >= 1.0)
    replace_basis(layer, new, rows)


def extend_grid(layer: KanLayer, grid: int, x: Tensor | None = None) -> None:
    """Give a spline layer a finer grid over the same range; its function stays where the grids are nested.

    Args:
        layer: of splines.
        grid: intervals; a multiple of the present number nests, and changes nothing but rounding.
        x: inputs to fit on; by default even points over the old grid, the knots beyond it included.

    Raises:
        ConfigurationError: it is no spline layer, or ``grid`` is not finer.
    """
    old = _spline(layer)
    if grid <= old.grid:
        raise ConfigurationError(f"a grid of {old.grid} intervals can be extended to more, but got {grid}")
    family = replace(layer.spec.family, grid=grid)  # type: ignore[call-arg]
    new = _like(family, layer, old)
    rows = _across(old, 8 * new.size) if x is None else subsample(layer.normalised(x).detach())
    new.set_knots(finer_knots(old, grid, old.order).to(rows), is_uniform=old.is_uniform)
    replace_basis(layer, new, rows)
    layer.spec = layer.spec.with_family(family)


def finer_knots(basis: SplineBasis, grid: int, order: int) -> Tensor:
    """Return knots of ``grid`` intervals for splines of ``order`` over the range of ``basis``, in float64.

    Where ``grid`` is a multiple of the present number, all knots inside the range stay.
    """
    inner = basis.knots[:, basis.order : -basis.order].double()
    places = torch.linspace(0, basis.grid, grid + 1, dtype=torch.float64, device=inner.device)
    left = places.long().clamp_max(basis.grid - 1)
    fine = inner[:, left] + (places - left) * (inner[:, left + 1] - inner[:, left])
    return _extended(fine, order)


def subsample(rows: Tensor) -> Tensor:
    """Return at most `MOST_SAMPLES` rows, evenly spread."""
    if len(rows) <= MOST_SAMPLES:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, MOST_SAMPLES, device=rows.device).long()]


def _values(basis: Basis, rows: Tensor) -> Tensor:
    """Return values in float64, `(rows, size, inputs)`; the basis is as it was afterwards."""
    like = next(iter((*basis.parameters(), *basis.buffers())), None)
    dtype = torch.float64 if like is None else like.dtype
    return basis.plain(rows.to(dtype)).double()


def _spline(layer: KanLayer) -> SplineBasis:
    if not isinstance(layer.basis, SplineBasis):
        raise ConfigurationError(f"only splines have a grid, but the family is {layer.spec.family.name}")
    return layer.basis


def _like(family: Family, layer: KanLayer, old: SplineBasis) -> SplineBasis:
    made = family.basis(layer.inputs)
    assert isinstance(made, SplineBasis)
    return made.to(old.knots)


def _inner_knots(rows: Tensor, grid: int, uniform_share: float) -> Tensor:
    """Return ascending knots inside the range of each input, `(inputs, grid + 1)`, never on top of each other."""
    low, high = rows.amin(0), rows.amax(0)
    margin = torch.clamp(0.005 * (high - low), min=1e-3)  # an input that is constant gets a grid all the same
    low, high = low - margin, high + margin
    share = torch.linspace(0.0, 1.0, grid + 1, dtype=rows.dtype, device=rows.device)
    even = low.unsqueeze(-1) + (high - low).unsqueeze(-1) * share
    if uniform_share >= 1.0:
        return even
    quantiles = torch.quantile(rows, share, dim=0).t().clone()
    quantiles[:, 0], quantiles[:, -1] = low, high
    return uniform_share * even + (1.0 - uniform_share) * quantiles


def _extended(inner: Tensor, order: int) -> Tensor:
    """Add ``order`` knots at each end, at the mean spacing."""
    step = (inner[:, -1:] - inner[:, :1]) / (inner.shape[1] - 1)
    beyond = torch.arange(1, order + 1, dtype=inner.dtype, device=inner.device) * step
    return torch.cat([inner[:, :1] - beyond.flip(-1), inner, inner[:, -1:] + beyond], -1)


def _across(basis: SplineBasis, count: int) -> Tensor:
    """Return even points over the grid of each input, `(count, inputs)`."""
    inner = basis.knots[:, basis.order : -basis.order].t()
    share = torch.linspace(0.0, 1.0, count, dtype=inner.dtype, device=inner.device).unsqueeze(-1)
    return inner[0] + (inner[-1] - inner[0]) * share


def _widen(layer: KanLayer, size: int) -> None:
    """Make room for more functions per input in the product of ``layer``."""
    old = layer.product.weight
    assert isinstance(old, nn.Parameter)
    shape = (old.shape[0], size * layer.inputs, *old.shape[2:])
    layer.product.weight = nn.Parameter(old.new_zeros(shape), requires_grad=old.requires_grad)
    width = {"in_features": shape[1], "in_channels": shape[1], "size": size}
    for name, value in width.items():
        if hasattr(layer.product, name):
            setattr(layer.product, name, value)
