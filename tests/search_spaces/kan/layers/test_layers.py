"""Layers: sums over edges, initial variance, counters, images, and what scores them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from automl import ConfigurationError
from automl_plugins.evaluators.zero_cost import score
from automl_spaces.kan.layers import (
    FAMILIES,
    KanConv,
    KanLayer,
    KanLinear,
    KanSpec,
    layer_cost,
    make_family,
    mlp_cost,
    pykan_cost,
)

families = pytest.mark.parametrize("name", FAMILIES)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def count(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters())


@families
def test_product_is_the_sum_over_edges(name: str) -> None:
    layer = KanLinear(6, 4, KanSpec(make_family(name), base="silu", bias=True), generator=seeded())
    x = torch.randn(7, 6, generator=seeded(1))
    values = layer.basis.plain(layer.before(x))
    naive = torch.zeros(7, 4)
    for o in range(4):
        for i in range(6):
            naive[:, o] += values[:, :, i] @ layer.coefficients[o, :, i]
            naive[:, o] += layer.base.weight[o, i] * nn.functional.silu(x[:, i])  # type: ignore[union-attr, index]
    assert torch.allclose(layer(x), naive, atol=1e-5)


@families
@pytest.mark.slow
@pytest.mark.parametrize("base", ["none", "silu"])
@pytest.mark.parametrize("width", [64, 512])
def test_initial_variance_is_kept_over_four_layers(name: str, base: str, width: int) -> None:
    repeats, found = (24, torch.zeros(4)) if width == 64 else (3, torch.zeros(4))
    generator = seeded(5)
    with torch.no_grad():
        for _ in range(repeats):
            x = torch.randn(128, width, generator=generator)
            for depth in range(4):
                x = KanLinear(width, width, KanSpec(make_family(name), base=base), generator=generator)(x)
                found[depth] += x.square().mean() / repeats
    assert found.sqrt().tolist() == pytest.approx([1.0] * 4, rel=0.1)


@pytest.mark.parametrize("name", ["bspline", "chebyshev", "fourier", "wavelet"])
def test_initial_variance_is_one(name: str) -> None:
    generator = seeded(6)
    layer = KanLinear(64, 512, KanSpec(make_family(name), base="silu"), generator=generator)
    with torch.no_grad():
        assert float(layer(torch.randn(256, 64, generator=generator)).std()) == pytest.approx(1.0, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(FAMILIES) - {"rational"}))
def test_initial_variance_of_narrow_layers_is_kept_on_average(name: str) -> None:
    generator, found = seeded(7), torch.zeros(4)
    with torch.no_grad():
        for _ in range(150):
            x = torch.randn(64, 8, generator=generator)
            for depth in range(4):
                x = KanLinear(8, 8, KanSpec(make_family(name)), generator=generator)(x)
                found[depth] += x.square().mean() / 150
    assert found.sqrt().tolist() == pytest.approx([1.0] * 4, rel=0.1)


@families
@pytest.mark.parametrize("before", ["none", "layer_norm", "tanh", "min_max"])
def test_parameters_are_counted_by_formula(name: str, before: str) -> None:
    family = make_family(name)
    for spec in (
        KanSpec(family, before=before, after="batch_norm"),  # type: ignore[arg-type]
        KanSpec(family, base="silu", bias=True, edge_scale=True, before=before),  # type: ignore[arg-type]
    ):
        layer = KanLinear(12, 5, spec)
        assert count(layer) == layer_cost(spec, 12, 5).parameters
        assert torch.isfinite(layer(10.0 * torch.randn(9, 12, generator=seeded()))).all()
    conv = KanSpec(family, base="silu", before=before, after="layer_norm")  # type: ignore[arg-type]
    assert count(KanConv(4, 6, 3, conv)) == layer_cost(conv, 4, 6, taps=9).parameters


def test_counts_are_those_made_by_hand() -> None:
    efficient = KanSpec(make_family("bspline", grid=5, order=3), base="silu", edge_scale=True)
    assert count(KanLinear(64, 64, efficient)) == 40_960
    chebyshev = KanSpec(make_family("chebyshev", degree=4))
    assert layer_cost(chebyshev, 10, 3).parameters == 10 * 3 * 5
    assert layer_cost(chebyshev, 10, 3).flops == 10 * (3 * 3 + 6) + 2 * 10 * 3 * 5
    assert pykan_cost(1, 1, 5, 3).flops == 260
    assert pykan_cost(4, 6, 5, 3).parameters == 4 * 6 * 10 + 6
    assert pykan_cost(4, 6, 5, 3, "silu").flops == 24 * 260 + 5 * 4 + 2 * 24
    assert mlp_cost(64, 317, 64).parameters == 65 * 317 + 318 * 64


def test_wavelets_of_each_edge_have_three_parameters_each() -> None:
    spec = KanSpec(make_family("wavelet", per_edge=True))
    layer = KanLinear(5, 4, spec, generator=seeded())
    assert count(layer) == 3 * 5 * 4 + 4 == layer_cost(spec, 5, 4).parameters
    x = torch.randn(6, 5, generator=seeded())
    values = layer.basis.plain(x)
    assert torch.allclose(layer(x), (values * layer.product.weight).sum(-1), atol=1e-6)
    with pytest.raises(ConfigurationError, match="no basis for each edge"):
        KanConv(5, 4, 3, spec)
    with pytest.raises(ConfigurationError, match="per_edge = False"):
        _ = layer.coefficients


@families
def test_convolution_of_one_pixel_is_the_linear_layer(name: str) -> None:
    spec = KanSpec(make_family(name), base="silu", before="tanh")
    linear, conv = KanLinear(5, 4, spec, generator=seeded()), KanConv(5, 4, 1, spec)
    conv.load_state_dict(
        {
            key: value.view(conv.state_dict()[key].shape) if hasattr(value, "view") else value
            for key, value in linear.state_dict().items()
        }
    )
    image = torch.randn(2, 5, 3, 6, generator=seeded())
    assert torch.allclose(conv(image), linear(image.movedim(1, -1)).movedim(-1, 1), atol=1e-5)


def test_convolution_sums_over_its_kernel() -> None:
    layer = KanConv(2, 3, 3, KanSpec(make_family("chebyshev"), base="identity"), stride=2, generator=seeded())
    image = torch.randn(1, 2, 6, 6, generator=seeded())
    values = layer.basis.plain(layer.before(image).movedim(1, -1))
    patch = values[0, 1:4, 1:4].permute(2, 3, 0, 1)  # functions, channels, rows, columns around (2, 2)
    expected = (layer.coefficients * patch).sum((1, 2, 3, 4)) + (layer.base.weight * image[0, :, 1:4, 1:4]).sum(
        (1, 2, 3)
    )  # type: ignore[union-attr, operator]
    assert torch.allclose(layer(image)[0, :, 1, 1], expected, atol=1e-5)
    assert layer(image).shape == (1, 3, 3, 3)


def test_min_max_uses_running_extremes_in_training_and_test_alike() -> None:
    layer = KanLinear(2, 2, KanSpec(make_family("legendre"), before="min_max"), generator=seeded())
    x = torch.rand(64, 2, generator=seeded())
    for _ in range(200):
        trained = layer(x)
    assert torch.allclose(layer.eval()(x), trained, atol=1e-3)
    assert float(layer.before(x).detach().amax()) == pytest.approx(1.0, abs=1e-3)


def test_same_seed_gives_the_same_layer_and_leaves_the_global_generator_alone() -> None:
    state = torch.get_rng_state()
    a, b = (KanLinear(3, 2, KanSpec(base="silu"), generator=seeded(4)) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


@families
def test_proxies_score_networks_of_every_family(name: str) -> None:
    spec = KanSpec(make_family(name), base="silu")
    network = nn.Sequential(KanLinear(6, 5, spec, generator=seeded()), KanLinear(5, 3, spec, generator=seeded(1)))
    batch = (torch.randn(12, 6, generator=seeded()), torch.arange(12) % 3)
    proxies = ("grad_norm", "snip", "grasp", "jacob_cov", "fisher", "params", "flops")
    found = score(network, batch, proxies=proxies)
    assert {key: value.reason for key, value in found.items() if value.status != "ok"} == {}


def test_spline_network_fits_a_product() -> None:
    generator = seeded(0)
    x = 2.0 * torch.rand(256, 2, generator=generator) - 1.0
    y = x[:, :1] * x[:, 1:]
    spec = KanSpec(make_family("bspline"), base="silu")
    network = nn.Sequential(KanLinear(2, 5, spec, generator=generator), KanLinear(5, 1, spec, generator=generator))
    optimiser = torch.optim.Adam(network.parameters(), lr=0.05)  # as good as done well before the last step
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 1000)
    for _ in range(1000):
        optimiser.zero_grad()
        loss = (network(x) - y).square().mean()
        loss.backward()
        optimiser.step()
        schedule.step()
        if float(loss) < 0.8e-4:
            break
    assert float(loss) ** 0.5 < 1e-2


def test_layers_keep_one_contract() -> None:
    assert issubclass(KanLinear, KanLayer)
    assert issubclass(KanConv, KanLayer)
    assert KanLinear(2, 3).normalised(torch.zeros(4, 5, 2)).shape == (20, 2)
    assert KanConv(2, 3, 3).normalised(torch.zeros(4, 2, 5, 5)).shape == (100, 2)
