"""Distinct patterns of examples, against a set of tuples."""

import pytest
import torch
import zoo
from torch import nn

from automl import ComponentSpec
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.linear_regions import Regions


def regions(network, batch, **options):
    return score(network, batch, proxies=(ComponentSpec(name="linear_regions", options=options),))["linear_regions"]


def made():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2))


def direct(network, inputs):
    with torch.no_grad():
        first = network[0](inputs)
        second = network[2](torch.relu(first))
    return len({tuple(row.tolist()) for row in torch.cat([first > 0, second > 0], dim=1)})


@pytest.mark.parametrize("examples", [1, 5, 200])
def test_it_counts_the_distinct_patterns_of_the_examples(examples):
    inputs = torch.randn(examples, 2, generator=torch.Generator().manual_seed(1))
    found = regions(made(), inputs)
    assert found.value == direct(made(), inputs)
    assert found.value <= examples


def test_examples_are_told_apart_by_whichever_layer_differs():
    watching = Regions()
    watching.see(torch.tensor([[1, 0], [1, 0], [0, 0], [0, 0], [1, 1]], dtype=torch.bool))
    assert watching.distinct() == 3
    watching.see(torch.tensor([[1], [0], [1], [1], [1]], dtype=torch.bool))
    assert watching.distinct() == 4


def test_an_example_twice_is_one_region():
    inputs = torch.randn(6, 3, 8, 8)
    inputs[4] = inputs[0]
    network = zoo.made("group_norm_only").network
    assert regions(network, inputs).value == 5


def test_noise_is_drawn_by_the_seed_in_the_shape_of_the_batch():
    inputs = torch.zeros(4, 2)
    assert regions(made(), inputs).value == 1
    found = regions(made(), inputs, inputs="noise", examples=300)
    assert 4 < found.value <= 28  # three lines cut the plane into at most 7 parts, and two each of those into 4
    assert found.value == regions(made(), inputs, inputs="noise", examples=300).value


def test_new_weights_are_drawn_by_the_seed_and_the_network_keeps_its_own():
    network = made()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    inputs = torch.randn(50, 2)
    assert regions(network, inputs).value == 1
    assert regions(network, inputs, init="kaiming_fan_in").value > 1
    assert not any(parameter.any() for parameter in network.parameters())


def test_noise_leaves_tokens_as_they_are():
    animal = zoo.made("transformer")
    assert regions(animal.network, animal.batch, inputs="noise").value == regions(animal.network, animal.batch).value


@pytest.mark.parametrize("inputs", ["batch", "noise"])
def test_a_network_without_activations_is_unsupported(inputs):
    assert regions(nn.Linear(2, 2), torch.randn(4, 2), inputs=inputs).status == "unsupported"
