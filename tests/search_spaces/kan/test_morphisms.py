"""Changes of networks that keep their functions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from automl import ConfigurationError
from automl_spaces.kan.layers import FAMILIES, KanConv, KanLinear, KanSpec, Polynomial, make_family, update_grid
from automl_spaces.kan.morphisms import identity_layer, project, refine, widen


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relative(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float(((found - wanted).square().mean().sqrt() / wanted.std()).detach())


@pytest.mark.parametrize("name", ["chebyshev", "legendre", "jacobi", "gram", "bernstein"])
def test_projection_between_polynomials_of_one_degree_is_exact(name: str) -> None:
    spec = KanSpec(Polynomial(degree=4), base="silu", after="batch_norm")
    old = KanLinear(5, 3, spec, generator=seeded()).eval()
    new = project(old, make_family(name, degree=4))
    x = torch.randn(300, 5, generator=seeded(1))
    assert new.spec.family.name == name
    assert not new.training
    assert torch.allclose(new(x), old(x), atol=1e-4)


@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"rational"}))
@pytest.mark.parametrize("before", ["tanh", "layer_norm"])
def test_projection_keeps_smooth_functions_nearly(name: str, before: str) -> None:
    spec = KanSpec(make_family("chebyshev", degree=2), base="silu", before=before)  # type: ignore[arg-type]
    old = KanLinear(8, 3, spec, generator=seeded())
    options = {"wavelet": {"count": 8}, "fourier": {"frequencies": 6}, "sine": {"frequencies": 8}}.get(name, {})
    new = project(old, make_family(name, **options), samples=torch.randn(800, 8, generator=seeded(2)))
    x = torch.randn(300, 8, generator=seeded(1))
    # Behind layer normalisation inputs leave [-1, 1], where grids and half waves end: there the fit is what it is.
    assert relative(new(x), old(x)) < (0.25 if before == "tanh" else 0.6)


def test_projection_gives_the_best_fit_there_is() -> None:
    old = KanLinear(1, 1, KanSpec(make_family("bspline"), before="tanh"), generator=seeded())
    x = torch.randn(400, 1, generator=seeded(1))
    new = project(old, make_family("legendre", degree=5), samples=x)
    table = new.basis.plain(torch.tanh(x))[..., 0]
    best = table @ torch.linalg.lstsq(table, old(x)).solution
    assert torch.allclose(new(x), best, atol=1e-4)


def test_projection_can_change_what_comes_before_but_not_unmix_inputs() -> None:
    old = KanLinear(3, 2, KanSpec(make_family("rbf"), before="none"), generator=seeded())
    x = torch.randn(500, 3, generator=seeded(1))
    new = project(old, make_family("chebyshev", degree=8), before="tanh", samples=x)
    assert relative(new(x), old(x)) < 0.3
    mixed = KanLinear(8, 2, KanSpec(make_family("rbf"), before="layer_norm"))
    with pytest.raises(ConfigurationError, match="mixes inputs"):
        project(mixed, make_family("chebyshev"), before="tanh")


def test_projection_of_convolutions_keeps_the_inner_pixels() -> None:
    old = KanConv(3, 4, 3, KanSpec(Polynomial(degree=3), base="silu"), generator=seeded())
    image = torch.randn(2, 3, 9, 9, generator=seeded(1))
    for name in ("chebyshev", "fourier"):
        options = {"degree": 3} if name == "chebyshev" else {"frequencies": 8}
        new = project(old, make_family(name, **options))
        inside = (slice(None), slice(None), slice(1, -1), slice(1, -1))
        assert relative(new(image)[inside], old(image)[inside]) < 0.05


@pytest.mark.parametrize(
    "name", ["bspline", "piecewise_linear", "chebyshev", "legendre", "gram", "bernstein", "fourier"]
)
def test_refining_keeps_the_function(name: str) -> None:
    old = KanLinear(4, 3, KanSpec(make_family(name), base="silu", before="tanh"), generator=seeded())
    new = refine(old)
    x = torch.randn(300, 4, generator=seeded(1))
    assert new.basis.size > old.basis.size
    assert torch.allclose(new(x), old(x), atol=2e-4)


def test_families_without_a_size_cannot_be_refined() -> None:
    with pytest.raises(ConfigurationError, match="refine"):
        refine(KanLinear(2, 2, KanSpec(make_family("rational"))))


@pytest.mark.parametrize("name", FAMILIES)
def test_widening_keeps_the_function_and_new_nodes_can_learn(name: str) -> None:
    spec = KanSpec(make_family(name), base="silu", before="tanh", after="batch_norm")
    first, second = KanLinear(3, 5, spec, generator=seeded()), KanLinear(5, 2, spec, generator=seeded(1))
    network = nn.Sequential(first, second)
    x = torch.randn(100, 3, generator=seeded(2))
    network(x)
    network.eval()
    wide = nn.Sequential(*widen(first, second, 9, seeded(3)))
    assert torch.allclose(wide(x), network(x), atol=1e-5)
    wide(x).square().sum().backward()
    heard = wide[1].product.weight.grad.unflatten(1, (second.basis.size, 9))[:, :, 5:]  # type: ignore[union-attr, operator]
    assert float(heard.abs().sum()) > 0


def test_widening_keeps_convolutions_and_uneven_grids() -> None:
    first, second = (KanConv(2, 4, 3, generator=seeded()), KanConv(4, 2, 3, KanSpec(base="silu"), generator=seeded(1)))
    image = torch.randn(2, 2, 6, 6, generator=seeded(2))
    update_grid(second, first(image))
    network = nn.Sequential(first, second)
    wide = nn.Sequential(*widen(first, second, 6, seeded(3)))
    assert torch.allclose(wide(image), network(image), atol=1e-5)


def test_widening_refuses_what_it_cannot_keep() -> None:
    first, second = KanLinear(3, 5), KanLinear(5, 2, KanSpec(before="layer_norm"))
    with pytest.raises(ConfigurationError, match="layer normalisation"):
        widen(first, second, 9)
    with pytest.raises(ConfigurationError, match="larger width"):
        widen(first, KanLinear(5, 2), 5)


@pytest.mark.parametrize("name", FAMILIES)
def test_identity_layers_do_nothing_yet(name: str) -> None:
    layer = identity_layer(6, KanSpec(make_family(name), base="identity"))
    x = torch.randn(20, 6, generator=seeded())
    assert torch.allclose(layer(x), x, atol=1e-6)
    layer(x).square().sum().backward()
    assert float(layer.product.weight.grad.abs().sum()) > 0  # type: ignore[union-attr]


def test_identity_is_fitted_where_the_base_is_another() -> None:
    x = 1.8 * torch.rand(200, 3, generator=seeded()) - 0.9
    layer = identity_layer(3, KanSpec(make_family("bspline"), base="silu"), samples=x)
    assert torch.allclose(layer(x), x, atol=1e-4)
    with pytest.raises(ConfigurationError, match="is no identity"):
        identity_layer(3, KanSpec(base="identity", after="layer_norm"))
