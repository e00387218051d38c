import pytest
import torch
from torch import nn

from automl import Batch, Unmeasurable
from automl_plugins.proxies._blocks import block_features


class Residual(nn.Module):
    """Two convolutions beside a skip."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, maps):
        return maps + self.body(maps)


class Wrapper(nn.Module):
    """Something between the caller and the network."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, images):
        return self.model(images)


def shapes(network, size=8):
    return [tuple(one.shape[1:]) for one in block_features(network, Batch.of(torch.randn(2, 3, size, size)))]


def residual():
    stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.MaxPool2d(2))
    layers = nn.Sequential(Residual(4), Residual(4))
    return nn.Sequential(stem, layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2))


def test_stem_goes_on_to_the_first_block_and_each_residual_block_is_one():
    assert shapes(residual()) == [(4, 4, 4)] * 3


def test_wrapped_networks_have_the_blocks_that_they_have_unwrapped():
    assert shapes(Wrapper(Wrapper(residual()))) == shapes(residual())


def test_plain_chain_has_a_block_for_each_convolution_with_what_follows_it():
    plain = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2),
    )  # fmt: skip
    assert shapes(plain) == [(4, 4, 4), (6, 4, 4)]


def test_layer_that_is_called_twice_counts_twice():
    shared = Residual(3)
    assert shapes(nn.Sequential(shared, shared)) == [(3, 8, 8)] * 2


def test_network_without_feature_maps_has_no_blocks():
    with pytest.raises(Unmeasurable, match="found 0"):
        block_features(nn.Sequential(nn.Flatten(), nn.Linear(192, 2)), Batch.of(torch.randn(2, 3, 8, 8)))


def test_layers_whose_weights_are_computed_are_blocks_too():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 5, 3), nn.ReLU())
    plain = shapes(network)
    nn.utils.parametrizations.weight_norm(network[0])
    assert shapes(network) == plain == [(4, 3, 3), (5, 1, 1)]
