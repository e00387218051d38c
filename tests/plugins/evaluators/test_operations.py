"""All arithmetic, against counts by hand."""

import pytest
import torch
from single import Fixed
from torch import nn

from automl import Architecture, Candidate, Context
from automl_plugins.evaluators._operations import operations
from automl_plugins.evaluators.cost import Cost, CostOptions
from automl_plugins.tasks.digits import Digits
from automl_spaces.kan.layers import FAMILIES, KanConv, KanLinear, KanSpec, layer_cost, make_family, mlp_cost


def counted(network, *shape):
    return operations(network.eval(), torch.zeros(1, *shape))


@pytest.mark.parametrize(
    ("name", "each"), [("ReLU", 1), ("Sigmoid", 4), ("SiLU", 5), ("Tanh", 6), ("GELU", 14), ("LeakyReLU", 2)]
)
def test_activations_count_as_the_fairer_comparison_counts_them(name, each):
    assert counted(getattr(nn, name)(), 7) == 7 * each


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh", "gelu"])
def test_a_perceptron_costs_its_formula(activation):
    layers = {"relu": nn.ReLU, "silu": nn.SiLU, "tanh": nn.Tanh, "gelu": nn.GELU}
    network = nn.Sequential(nn.Linear(3, 7), layers[activation](), nn.Linear(7, 2))
    assert counted(network, 3) == mlp_cost(3, 7, 2, activation=activation).flops


def test_a_convolutional_network_costs_its_closed_form():
    network = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2))
    pixels = 8 * 8 * 3
    assert counted(network, 2, 8, 8) == pixels * (2 * 2 * 9 + 1) + 2 * pixels + pixels + 4 * (pixels // 4)


def test_moving_values_is_free_and_sums_are_not():
    class Moves(nn.Module):
        def forward(self, x):
            return torch.cat([x.flip(1), x.clone()], 1).view(-1)

    class Sums(nn.Module):
        def forward(self, x):
            return (x + x).mean(1)

    assert counted(Moves(), 5) == 0
    assert counted(Sums(), 5) == 5 + 5


def test_what_a_module_says_of_itself_stands_for_all_within_it():
    class Says(nn.Module):
        def __init__(self, each, inner):
            super().__init__()
            self.each, self.inner = each, inner

        def forward(self, x):
            return self.inner(x)

        def count_operations(self, shape):
            return self.each * shape[0] * shape[1]

    network = nn.Sequential(Says(100, Says(7, nn.Linear(5, 5))), nn.ReLU())
    assert counted(network, 5) == 100 * 5 + 5


@pytest.mark.parametrize("family", FAMILIES)
def test_a_layer_of_functions_costs_its_formula(family):
    spec = KanSpec(make_family(family), base="silu", before="tanh", after="batch_norm")
    assert counted(KanLinear(4, 3, spec), 4) == layer_cost(spec, 4, 3).flops


def test_a_spline_layer_costs_what_is_counted_by_hand():
    """Products of 8 functions and the base, a bias, and the expansion: far from the 2 of a linear layer's edge."""
    spec = KanSpec(make_family("bspline"), base="silu")
    inputs, outputs = 4, 3
    by_hand = 2 * inputs * outputs * (8 + 1) + outputs * spec.has_bias + inputs * (spec.family.flops() + 5)
    assert counted(KanLinear(inputs, outputs, spec), inputs) == by_hand
    assert spec.family.flops() > 0


def test_a_convolution_of_functions_counts_pixels():
    spec = KanSpec(make_family("chebyshev"))
    expected = layer_cost(spec, 2, 3, taps=9, pixels_in=64, pixels=16).flops
    assert counted(KanConv(2, 3, 3, spec, stride=2), 2, 8, 8) == expected


def test_they_are_reported_on_demand_alone():
    space = Fixed(lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)))
    candidate, context = Candidate(space, Architecture.of({})), Context(Digits())
    assert "operations" not in Cost().evaluate(candidate, context)
    asked = Cost(CostOptions(operations=True))
    found = asked.evaluate(candidate, context)
    assert list(found) == [metric.name for metric in asked.metrics(Digits())] == ["params", "flops", "operations"]
    assert found["operations"] == 2 * 640 + 10
