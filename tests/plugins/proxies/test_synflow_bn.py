import math

import pytest
import torch
import zoo
from torch import nn

from automl_plugins.evaluators.zero_cost import score


def synflow_bn(network, batch):
    return score(network, batch, proxies=("synflow_bn",))["synflow_bn"]


def test_it_is_what_autograd_says_with_batch_statistics_of_one_image_of_ones():
    animal, network = zoo.made("convolutional"), zoo.made("convolutional").network.double().train()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = [p for p in network.parameters() if p.ndim > 1]
    gradients = torch.autograd.grad(network(torch.ones(1, 3, 8, 8).double()).sum(), weights)
    expected = math.log(sum(float((w * g).abs().sum()) for w, g in zip(weights, gradients, strict=True)))
    assert synflow_bn(animal.network, animal.batch).value == pytest.approx(expected, rel=1e-9)


def test_it_differs_from_synflow_where_there_is_batch_normalisation_alone():
    for name, is_same in (("convolutional", False), ("tabular", True)):
        animal = zoo.made(name)
        found = score(animal.network, animal.batch, animal.kind, proxies=("synflow", "synflow_bn"))
        assert (found["synflow"].value == found["synflow_bn"].value) is is_same


def test_one_position_has_no_batch_statistics():
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 3))
    found = synflow_bn(network, torch.randn(6, 4))
    assert found.status == "undefined"
    assert "statistics" in found.reason


def test_a_constant_map_leaves_rounding_which_is_no_value():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)
    )
    found = synflow_bn(network, torch.randn(6, 3, 8, 8))
    assert found.status == "undefined"
    assert "rounding" in found.reason
