"""Grids: what updates and extensions keep."""

from __future__ import annotations

import copy

import pytest
import torch

from automl import ConfigurationError
from automl_spaces.kan.layers import KanConv, KanLinear, KanSpec, extend_grid, make_family, update_grid


def layer(order: int = 3, **options: object) -> KanLinear:
    spec = KanSpec(make_family("bspline", order=order), base="silu", **options)  # type: ignore[arg-type]
    return KanLinear(4, 3, spec, generator=torch.Generator().manual_seed(0))


def inputs(rows: int = 500) -> torch.Tensor:
    return 1.9 * torch.rand(rows, 4, generator=torch.Generator().manual_seed(1)) - 0.95


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("edge_scale", [False, True])
def test_extension_to_a_nested_grid_keeps_the_function(order: int, edge_scale: bool) -> None:
    made = layer(order, edge_scale=edge_scale)
    if edge_scale:
        made.product.scale.data.uniform_(0.5, 2.0, generator=torch.Generator().manual_seed(2))
    before = made(inputs())
    extend_grid(made, 10)
    assert made.basis.size == 10 + order
    assert made.spec.family.grid == 10
    assert torch.allclose(made(inputs()), before, atol=1e-5)
    made(inputs()).sum().backward()
    with pytest.raises(ConfigurationError, match="extended to more"):
        extend_grid(made, 10)


@pytest.mark.parametrize("share", [0.02, 1.0])
@pytest.mark.parametrize("edge_scale", [False, True])
def test_update_keeps_functions_that_both_grids_have(share: float, edge_scale: bool) -> None:
    made = layer(edge_scale=edge_scale)
    points = torch.linspace(-1, 1, 100).unsqueeze(-1)
    table = made.basis.plain(points.repeat(1, 4))[..., 0]
    cubics = torch.linalg.lstsq(table, points ** torch.arange(4)).solution
    drawn = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(3))
    made.set_coefficients(torch.einsum("md,oid->omi", cubics, drawn))
    if edge_scale:
        made.product.scale.data.fill_(1.7)
    before = made(inputs())
    update_grid(made, inputs(), share)
    assert torch.allclose(made(inputs()), before, atol=1e-5)
    assert made.basis.is_uniform == (share == 1.0)


def test_update_with_as_few_samples_as_functions_keeps_any_function() -> None:
    made, x = layer(), inputs(6)
    before = made(x)
    update_grid(made, x)
    assert torch.allclose(made(x), before, atol=1e-5)


def test_update_moves_the_grid_to_the_inputs() -> None:
    made = layer()
    far = 10.0 + inputs()
    update_grid(made, far)
    knots = made.basis.knots
    assert float(knots[:, 3].min()) > 8.9
    assert float(knots[:, -4].max()) < 11.1
    assert (knots.diff(dim=-1) > 0).all()
    assert torch.allclose(made.basis(far).sum(-2), torch.ones(500, 4), atol=1e-4)


def test_update_survives_inputs_that_are_all_the_same() -> None:
    made, same = layer(), torch.zeros(50, 4)
    before = made(same)
    update_grid(made, same)
    assert torch.isfinite(made(same)).all()
    assert torch.allclose(made(same), before, atol=1e-5)


def test_state_of_an_uneven_grid_is_restored() -> None:
    made, other = layer(), layer()
    update_grid(made, inputs())
    other.load_state_dict(copy.deepcopy(made.state_dict()))
    assert torch.equal(other(inputs()), made(inputs()))


def test_grids_of_convolutions_extend_too() -> None:
    made = KanConv(4, 3, 3, KanSpec(base="silu"), generator=torch.Generator().manual_seed(0))
    image = inputs(200).view(2, 10, 10, 4).movedim(-1, 1)
    before = made(image)
    extend_grid(made, 10)
    assert torch.allclose(made(image), before, atol=1e-4)


def test_other_families_have_no_grid() -> None:
    made = KanLinear(2, 2, KanSpec(make_family("chebyshev")))
    with pytest.raises(ConfigurationError, match="only splines"):
        update_grid(made, torch.zeros(3, 2))
