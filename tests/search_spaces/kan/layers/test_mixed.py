"""Layers whose nodes choose: equal to the sum over edges, and counted right."""

import pytest
import torch

from automl import ConfigurationError
from automl_spaces.kan.layers import (
    KanConv,
    KanLinear,
    KanSpec,
    MixedKanConv,
    MixedKanLinear,
    make_family,
    mixed_cost,
)

SPECS = (
    KanSpec(make_family("bspline"), base="silu", after="batch_norm"),
    KanSpec(make_family("wavelet"), base="identity", after="batch_norm", before="layer_norm"),
    KanSpec(make_family("rational", groups=4), after="batch_norm"),
    KanSpec(make_family("relu_kan"), before="min_max", after="batch_norm"),
    KanSpec(make_family("chebyshev"), before="tanh", after="batch_norm"),
)
OF_NODE = (1, 0, 2, 4, 1, 2, 3, 3)


def seeded(number=0):
    return torch.Generator().manual_seed(number)


def shaken(layer):
    """Give every parameter another value, so that nothing is right by being 0 or 1."""
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=seeded(len(parameter))))
    return layer


def naive(layer, x):
    """The sum edge by edge, from coefficients and definitions."""
    total = torch.zeros(len(x), layer.outputs)
    for place, group in enumerate(layer.groups):
        z = group.before[0](x)
        values = group.basis.plain(z[:, layer.nodes_of(place)])
        for output in range(layer.outputs):
            for at, node in enumerate(layer.nodes_of(place)):
                for m in range(group.basis.size):
                    total[:, output] += group.coefficients[output, m, at] * values[:, m, at]
                if group.base is not None:
                    base = torch.nn.functional.silu(x[:, node]) if group.spec.base == "silu" else x[:, node]
                    total[:, output] += group.base.weight[output, at] * base
    return layer.after(total + layer.bias)


def test_it_equals_the_naive_sum_over_edges():
    layer = shaken(MixedKanLinear(8, 3, SPECS, OF_NODE, generator=seeded())).eval()
    x = torch.randn(6, 8, generator=seeded(1))
    with torch.no_grad():
        torch.testing.assert_close(layer(x), naive(layer, x), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("spec", SPECS)
def test_one_choice_for_all_is_the_layer_of_that_family(spec):
    plain = KanLinear(8, 3, spec, generator=seeded()).eval()
    mixed = MixedKanLinear(8, 3, [spec], [0] * 8, generator=seeded()).eval()
    x = torch.randn(6, 8, generator=seeded(1))
    torch.testing.assert_close(mixed(x), plain(x))


def test_a_convolution_of_one_choice_is_that_of_the_family():
    spec = KanSpec(make_family("chebyshev"), base="silu", before="layer_norm")
    plain = KanConv(3, 4, 3, spec, stride=2, generator=seeded()).eval()
    mixed = MixedKanConv(3, 4, 3, [spec], [0] * 3, stride=2, generator=seeded()).eval()
    x = torch.randn(2, 3, 8, 8, generator=seeded(1))
    torch.testing.assert_close(mixed(x), plain(x))


def test_a_convolution_of_kernel_one_is_the_linear_layer_of_each_pixel():
    linear = MixedKanLinear(8, 3, [SPECS[0], SPECS[4]], [0, 1] * 4, generator=seeded()).eval()
    conv = MixedKanConv(8, 3, 1, [SPECS[0], SPECS[4]], [0, 1] * 4, generator=seeded()).eval()
    x = torch.randn(2, 8, 4, 4, generator=seeded(1))
    torch.testing.assert_close(conv(x), linear(x.movedim(1, -1)).movedim(-1, 1))


def test_equal_specs_are_one_group_and_unused_ones_none():
    layer = MixedKanLinear(3, 2, [KanSpec(), KanSpec(make_family("sine")), KanSpec()], [0, 2, 2])
    assert len(layer.groups) == 1
    assert layer.of_node == (0, 0, 0)


@pytest.mark.parametrize("after", ["none", "layer_norm"])
def test_parameters_are_those_of_the_formula(after):
    specs = [KanSpec(spec.family, spec.base, spec.before, after) for spec in SPECS]
    layer = MixedKanLinear(8, 3, specs, OF_NODE)
    counted = mixed_cost(specs, OF_NODE, 3).parameters
    assert counted == sum(parameter.numel() for parameter in layer.parameters())


def test_a_mixed_layer_costs_what_is_counted_by_hand():
    specs = [KanSpec(), KanSpec(make_family("chebyshev", degree=3))]  # 8 splines, 4 polynomials behind tanh
    found = mixed_cost(specs, [0, 0, 1], 5)
    assert found.parameters == 2 * 8 * 5 + 4 * 5
    products = 2 * (2 * 8 * 5 + 4 * 5)
    squashes = 6 * 3
    assert found.flops == products + 2 * specs[0].family.flops() + specs[1].family.flops() + squashes


def test_one_choice_for_all_costs_what_the_layer_of_that_family_does():
    for spec in SPECS:
        plain, mixed = KanLinear(8, 3, spec), MixedKanLinear(8, 3, [spec], [0] * 8)
        assert mixed.count_operations((5, 8)) == plain.count_operations((5, 8))
        conv, mixed_conv = KanConv(8, 3, 3, spec, stride=2), MixedKanConv(8, 3, 3, [spec], [0] * 8, stride=2)
        assert mixed_conv.count_operations((5, 8, 6, 7)) == conv.count_operations((5, 8, 6, 7))


def test_the_sum_starts_with_unit_variance():
    layer = MixedKanLinear(64, 64, [KanSpec(make_family("sine")), KanSpec(make_family("rbf"))], [0] * 16 + [1] * 48)
    layer.reset_parameters(seeded())
    x = torch.randn(2000, 64, generator=seeded(1))
    assert float(layer(x).detach().var()) == pytest.approx(1.0, abs=0.1)


def test_it_is_built_on_the_meta_device():
    with torch.device("meta"):
        layer = MixedKanLinear(8, 3, SPECS, OF_NODE)
        assert layer(torch.zeros(2, 8)).shape == (2, 3)


@pytest.mark.parametrize(
    ("specs", "of_node", "said"),
    [
        (SPECS, (0, 1), "needs a choice for each, but got 2"),
        (SPECS, (0,) * 7 + (9,), "among 5 specs by number, from 0 on, but got 9"),
        ([KanSpec(), KanSpec(after="layer_norm")], (0,) * 7 + (1,), "layer_norm, none"),
    ],
)
def test_choices_that_do_not_fit_are_refused(specs, of_node, said):
    with pytest.raises(ConfigurationError, match=said):
        MixedKanLinear(8, 3, specs, of_node)
