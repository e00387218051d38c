import pytest
import torch
from torch import nn

from automl_spaces.ops import activations

WIDTH, LAYERS = 512, 20


def growth(name, layers):
    """Return the second moment after some layers, of that before."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        dense = [nn.Linear(WIDTH, WIDTH) for _ in range(layers)]
        network = nn.Sequential(*[nn.Sequential(layer, activations.make(name)) for layer in dense])
        activations.initialise(network, name)
        with torch.no_grad():
            inputs = torch.randn(256, WIDTH) / activations.entry(name).gain ** 0.5
            return float(network(inputs).square().mean() / inputs.square().mean())


@pytest.mark.parametrize("name", ["relu", "tanh", "selu", "softplus", "sine", "elu"])
def test_the_second_moment_of_a_deep_network_stays(name):
    assert 0.5 < growth(name, LAYERS) < 2


@pytest.mark.parametrize("name", ["gelu", "silu", "mish", "hardswish"])
def test_the_second_moment_stays_for_a_few_layers_where_deviations_grow(name):
    assert 0.7 < growth(name, 5) < 1.4


@pytest.mark.parametrize(
    ("name", "expected"), [("relu", 1.0), ("tanh", 0.46), ("mish", 1.07), ("gelu", 1.14), ("hardswish", 1.22)]
)
def test_deviations_of_the_second_moment_grow_as_documented(name, expected):
    z = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0)).requires_grad_()
    outputs = activations.make(name)(z)
    (slopes,) = torch.autograd.grad(outputs.sum(), z)
    found = activations.entry(name).gain * (z * outputs * slopes).mean()
    assert float(found.detach()) == pytest.approx(expected, abs=0.02)


def test_selu_is_a_fixed_point():
    points = torch.randn(1_000_000, generator=torch.Generator().manual_seed(0))
    outputs = activations.make("selu")(points)
    assert abs(float(outputs.mean())) < 5e-3
    assert abs(float(outputs.var()) - 1) < 5e-3


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("relu", 2.0),
        ("gelu", 2.352),
        ("silu", 2.811),
        ("mish", 2.211),
        ("tanh", 2.536),
        ("elu", 1.551),
        ("selu", 1.0),
        ("softplus", 1.086),
        ("hardswish", 3.016),
        ("sigmoid", 3.409),
        ("softsign", 5.464),
        ("sine", 2.313),
        ("squared_relu", 0.667),
        ("gcu", 3.367),
        ("serf", 1.994),
        ("tanh_exp", 1.890),
        ("gaussian", 2.236),
    ],
)
def test_gains_are_those_of_the_literature(name, expected):
    assert activations.entry(name).gain == pytest.approx(expected, abs=6e-4)
