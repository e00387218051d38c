import pytest
import torch
import zoo
from torch import nn

from automl import ComponentSpec
from automl_plugins.evaluators.zero_cost import score


def l2_norm(network, batch, kind="classification", **options):
    return score(network, batch, kind, proxies=(ComponentSpec(name="l2_norm", options=options),))["l2_norm"]


@pytest.mark.parametrize("name", ["convolutional", "tabular", "transformer"])
def test_it_is_the_sum_of_the_norms_of_the_weights(name):
    animal = zoo.made(name)
    parameters = dict(animal.network.named_parameters())
    norms = {key: float(p.detach().double().square().sum().sqrt()) for key, p in parameters.items()}
    weights = sum(norm for key, norm in norms.items() if parameters[key].ndim > 1)
    assert l2_norm(animal.network, animal.batch, animal.kind).value == pytest.approx(weights, rel=1e-6)
    found = l2_norm(animal.network, animal.batch, animal.kind, parameters="all").value
    assert found == pytest.approx(sum(norms.values()), rel=1e-6)


def test_dead_layers_do_not_count_unless_asked_for():
    animal = zoo.made("two_heads")
    difference = float(animal.network.auxiliary.weight.detach().norm())
    alive = l2_norm(animal.network, animal.batch).value
    assert l2_norm(animal.network, animal.batch, count="all").value == pytest.approx(alive + difference, rel=1e-6)


def test_neither_data_nor_targets_play_a_part():
    network = nn.Linear(4, 3)
    assert l2_norm(network, torch.randn(2, 4)).value == l2_norm(network, torch.ones(5, 4)).value


def test_a_network_without_weights_has_none():
    animal = zoo.made("buffers_only")
    assert l2_norm(animal.network, animal.batch).status == "unsupported"


def test_norms_whose_squares_overflow_do_not():
    network = nn.Linear(4, 3)
    nn.init.constant_(network.weight, 1e30)
    assert l2_norm(network, torch.randn(2, 4)).value == pytest.approx(1e30 * 12**0.5, rel=1e-6)


def test_complex_weights_count_with_both_parts():
    network = Spectral()
    found = score(network, torch.ones(2, 2), proxies=("l2_norm",))
    assert found["l2_norm"].value == pytest.approx(float(network.weight.abs().square().sum().sqrt()), rel=1e-6)


class Spectral(nn.Module):
    """Multiplies with complex numbers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 3, dtype=torch.cfloat))

    def forward(self, inputs):
        return (inputs.to(torch.cfloat) @ self.weight).abs()
