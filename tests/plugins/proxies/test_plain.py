import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec
from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl_plugins.evaluators.zero_cost import score


@pytest.mark.parametrize("name", ["convolutional", "multi_label", "transformer"])
def test_it_is_the_change_of_the_loss_as_all_weights_grow(name):
    """Minus nothing but a central difference: d/ds of the loss at weights (1 + s) times as large."""
    animal = zoo.made(name)
    loss = functional.cross_entropy if animal.kind == "classification" else functional.binary_cross_entropy_with_logits

    def at(factor):
        network = private_copy(animal.network).double()
        set_mode(network, "batch")
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.mul_(factor if parameter.ndim > 1 else 1.0)
            inputs = animal.batch[0]
            inputs = inputs.double() if inputs.is_floating_point() else inputs
            targets = animal.batch[1]
            return float(loss(network(inputs), targets.double() if targets.is_floating_point() else targets))

    step = 1e-6
    expected = (at(1 + step) - at(1 - step)) / (2 * step)
    found = score(animal.network, animal.batch, animal.kind, proxies=("plain",))["plain"].value
    assert found == pytest.approx(expected, rel=2e-4, abs=1e-6)


def test_weights_in_front_of_batch_normalisation_contribute_nothing():
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4, eps=1e-14), nn.Flatten(), nn.Linear(144, 3)
    )
    network, batch = network.double(), (torch.randn(8, 3, 8, 8).double(), torch.arange(8) % 3)
    network[3].weight.requires_grad_(False)
    spec = ComponentSpec(name="plain")
    found = score(network, batch, proxies=(spec, "snip"))
    assert abs(found["plain"].value) < 1e-10 * found["snip"].value
