import pytest
import torch
from torch import nn
from torch.nn import functional

from automl import Batch, Unmeasurable
from automl_plugins.proxies._feature_map import last_feature_map


class Ending(nn.Module):
    """A convolution, gates that pool the map half-way, and an ending."""

    def __init__(self, end, channels=4):
        super().__init__()
        self.body, self.gate, self.last = nn.Conv2d(3, channels, 3, padding=1), nn.Linear(channels, channels), None
        self.end = end

    def forward(self, images):
        maps = functional.relu(self.body(images))
        gates = self.gate(maps.mean((2, 3))).sigmoid()
        self.last = maps * gates[:, :, None, None]
        return self.end(self.last)


HEAD = nn.Linear(4, 2)
POINTWISE = nn.Conv2d(4, 4, 1)
WIDE = nn.Linear(4 * 64, 2)
ENDINGS = {
    "mean": lambda maps: HEAD(maps.mean((2, 3))),
    "adaptive pooling": lambda maps: HEAD(functional.adaptive_avg_pool2d(maps, 1).flatten(1)),
    "pooling of the whole map": lambda maps: HEAD(functional.avg_pool2d(maps, 8).view(len(maps), -1)),
    "dropout after pooling": lambda maps: HEAD(
        functional.dropout(maps.mean((2, 3), keepdim=True), 0.5, False).squeeze()
    ),
    "a convolution after pooling": lambda maps: HEAD(
        POINTWISE(functional.adaptive_max_pool2d(maps, 1)).relu().flatten(1)
    ),
    "positions side by side": lambda maps: HEAD(maps.flatten(2).mean(2)),
    "flattening": lambda maps: WIDE(maps.flatten(1)),
    "no pooling": lambda maps: maps,
}


@pytest.mark.parametrize("name", ENDINGS)
def test_map_before_pooling_is_found_however_the_network_pools(name):
    network = Ending(ENDINGS[name])
    found = last_feature_map(network, Batch.of(torch.randn(5, 3, 8, 8)))
    assert found is network.last


def test_maps_of_one_pixel_are_found_where_they_are_pooled():
    network = Ending(ENDINGS["mean"])
    halved = nn.Sequential(nn.MaxPool2d(8), network)
    assert last_feature_map(halved, Batch.of(torch.randn(5, 3, 8, 8))) is network.last


def test_transformer_on_patches_has_no_last_map():
    class Patches(nn.Module):
        def __init__(self):
            super().__init__()
            self.patches, self.layer = nn.Conv2d(3, 8, 4, 4), nn.TransformerEncoderLayer(8, 2, 8, batch_first=True)

        def forward(self, images):
            return self.layer(self.patches(images).flatten(2).transpose(1, 2))[:, 0]

    with pytest.raises(Unmeasurable, match="made of sequences"):
        last_feature_map(Patches(), Batch.of(torch.randn(5, 3, 8, 8)))


def test_network_without_maps_has_none():
    with pytest.raises(Unmeasurable, match="four axes"):
        last_feature_map(nn.Linear(3, 2), Batch.of(torch.randn(5, 3)))
