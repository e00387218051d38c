import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl_plugins.evaluators.zero_cost import score


def flops(network, batch, kind="classification"):
    found = score(network, batch, kind, proxies=("flops",))["flops"]
    return found.value, found.method


class LooksAtValues(nn.Module):
    """Cannot run on tensors without values."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x if float(x.double().sum()) < 1e9 else x * 0)


class Attention(nn.Module):
    def forward(self, x):
        return functional.scaled_dot_product_attention(x, x, x)


def test_a_perceptron_costs_its_weights_whatever_the_batch():
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5))
    assert flops(network, torch.randn(7, 3)) == (12 + 20, "shapes")


def test_a_convolution_costs_its_closed_form():
    network = nn.Conv2d(6, 8, (3, 5), stride=2, padding=(1, 2), groups=2)
    assert flops(network, torch.randn(2, 6, 10, 14))[0] == 8 * 5 * 7 * 3 * 15


def test_a_transformer_costs_its_closed_form():
    animal, positions, width, inner = zoo.made("transformer"), 6, 16, 32
    projections, products = 4 * positions * width**2, 2 * positions**2 * width
    layer = projections + products + 2 * positions * width * inner
    assert flops(animal.network, animal.batch)[0] == 2 * layer + width * zoo.CLASSES


@pytest.mark.parametrize("name", ["convolutional", "transformer", "lstm", "tabular"])
def test_counting_in_earnest_finds_what_shapes_say(name):
    """Also when nothing requires gradients, so that fused kernels would be taken."""
    animal = zoo.made(name)
    by_shapes, method = flops(animal.network, animal.batch, animal.kind)
    assert method == "shapes"
    for parameter in animal.network.parameters():
        parameter.requires_grad_(False)
    assert flops(LooksAtValues(animal.network), animal.batch, animal.kind) == (by_shapes, "executed")


def test_fused_attention_is_counted_in_earnest():
    positions, width = 7, 4
    x = torch.randn(2, positions, width)
    assert flops(LooksAtValues(Attention()), x) == (2 * positions * positions * width, "executed")
