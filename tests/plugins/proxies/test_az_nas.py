import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, ComponentSpec, Criterion, make_component
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies import az_nas as module
from automl_plugins.proxies.az_nas import AzNas
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options


class Block(nn.Module):
    """A composite whose output is a feature map."""

    def __init__(self, inputs, outputs, stride=1):
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)

    def forward(self, maps):
        return torch.relu(self.norm(self.convolution(maps)))


def chain(*blocks, width=8):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 3)
    )


def az_nas(model, images, seed=0, **options):
    return score(model, images, proxies=(ComponentSpec(name="az_nas", options=options),), seeds=(seed,))


def by_hand(model, images, layers, seed=0):
    """The three scores of a chain whose blocks are its first ``layers`` layers; Jacobians in full."""
    bench = Bench(model, Batch.of(images), Criterion.of("classification"), seed=seed)
    network, probes = bench.fresh(init="kaiming_fan_in"), bench.generator("az_nas probes")
    features = [images]
    for layer in network[:layers]:
        features.append(layer(features[-1]))
    entropies = []
    for feature in features[1:]:
        rows = feature.detach().permute(0, 2, 3, 1).flatten(0, 2).numpy()
        eigenvalues = np.clip(np.linalg.eigvalsh(np.cov(rows.T, bias=True)), 0, None)
        shares = eigenvalues / eigenvalues.sum()
        entropies.append(-sum(share * math.log(share) for share in shares if share > 0))
    scores = []
    for before, after in pairwise(features[1:]):
        probe = torch.randint(0, 2, after.shape, generator=probes).double() * 2 - 1
        [arrived] = torch.autograd.grad(after, before, probe, retain_graph=True)
        if arrived.shape[2:] != probe.shape[2:]:
            arrived = nn.functional.pixel_unshuffle(arrived, arrived.shape[2] // probe.shape[2])
        products = torch.zeros(arrived.shape[1], probe.shape[1], dtype=torch.float64)
        for example in range(probe.shape[0]):
            for row in range(probe.shape[2]):
                for column in range(probe.shape[3]):
                    products += torch.outer(arrived[example, :, row, column], probe[example, :, row, column])
        scale = np.linalg.svd((products / (probe.numel() / probe.shape[1])).numpy())[1][0]
        scores.append(2 - scale - 1 / scale)
    return sum(entropies), min(np.diff(entropies)), np.mean(scores)


def values(found, *names):
    return [found[f"az_{name}"].value for name in names]


@pytest.mark.parametrize("stride", [1, 2])
def test_scores_are_those_of_the_formulas_on_a_chain(stride):
    torch.manual_seed(0)
    model, images = chain(Block(4, 8), Block(8, 8, stride)).double(), torch.randn(4, 3, 8, 8, dtype=torch.float64)
    found = values(az_nas(model, images, inputs="batch"), "expressivity", "progressivity", "trainability")
    assert found == pytest.approx(by_hand(model, images, 3), rel=1e-9)


def test_inputs_are_noise_of_the_batch_s_shape_unless_the_batch_is_asked_for():
    model, images = chain(Block(4, 8), Block(8, 8)), torch.randn(4, 3, 8, 8)
    noise = values(az_nas(model, images), "expressivity")
    assert noise == values(az_nas(model, 3 * images), "expressivity")
    assert noise != values(az_nas(model, images, inputs="batch"), "expressivity")


def test_complexity_is_multiply_accumulates():
    model, images = chain(Block(4, 8)), torch.randn(4, 3, 8, 8)
    assert az_nas(model, images)["az_complexity"].value == 64 * 9 * (3 * 4 + 4 * 8) + 8 * 3


def test_entropy_is_at_most_that_of_equal_components():
    found = az_nas(chain(Block(4, 8), Block(8, 8)), torch.randn(8, 3, 8, 8))
    assert 0 < found["az_expressivity"].value <= math.log(4) + 2 * math.log(8)
    assert found["az_trainability"].value <= 0


def test_groups_of_positions_are_channels_as_in_pixel_unshuffle():
    maps = torch.randn(2, 3, 8, 6)
    grouped = module._grouped(module._grouped(maps, 2, 4), 3, 3)
    expected = nn.functional.pixel_unshuffle(maps, 2)
    assert sorted(grouped[0, :, 1, 2].tolist()) == sorted(expected[0, :, 1, 2].tolist())
    assert grouped.shape == expected.shape


def test_positions_that_lack_are_zeros_and_those_too_many_are_cut_off_around():
    assert module._grouped(torch.arange(1.0, 4.0).reshape(1, 1, 3), 2, 2).tolist() == [[[1, 3], [2, 0]]]
    assert module._grouped(torch.arange(8.0).reshape(1, 1, 8), 2, 6).tolist() == [[[1, 2, 3, 4, 5, 6]]]


def test_maps_that_grow_or_do_not_divide_have_a_trainability():
    class Grow(Block):
        def forward(self, maps):
            return super().forward(nn.functional.interpolate(maps, scale_factor=2))

    found = az_nas(chain(Block(4, 8), Block(8, 8, 2), Grow(8, 8)), torch.randn(4, 3, 7, 7))
    assert found["az_trainability"].status == "ok"


def test_identity_block_has_no_trainability_but_the_other_scores():
    space = NasBench201(NasBench201Options(channels=4))
    skip = Cell(("none", "none", "none", "skip_connect", "none", "none"))
    found = az_nas(space.build(skip, make_component("task", "digits")), torch.randn(8, 1, 8, 8))
    assert found["az_trainability"].status == "undefined"
    assert "identity" in found["az_trainability"].reason
    assert found["az_expressivity"].status == "ok"


def test_cell_without_a_path_is_undefined():
    space = NasBench201(NasBench201Options(channels=4))
    found = az_nas(space.build(Cell(("none",) * 6), make_component("task", "digits")), torch.randn(8, 1, 8, 8))
    assert {found[f"az_{name}"].status for name in ("expressivity", "progressivity", "trainability")} == {"undefined"}


def test_single_block_is_unsupported_and_says_how_many_it_takes():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    found = az_nas(model, torch.randn(4, 3, 8, 8))
    assert found["az_expressivity"].status == "unsupported"
    assert "two blocks" in found["az_expressivity"].reason


@pytest.mark.parametrize("name", ["transformer", "tabular", "lstm"])
def test_what_are_no_images_is_refused(name):
    animal = zoo.made(name)
    assert {one.status for one in az_nas(animal.network, animal.batch).values()} == {"unsupported"}


def test_score_depends_on_the_seed_and_not_on_the_callers_weights():
    images = torch.randn(8, 3, 8, 8)
    found = [
        values(az_nas(zoo.made("convolutional", weights).network, images, seed), "expressivity", "trainability")
        for weights, seed in ((0, 0), (1, 0), (0, 1))
    ]
    assert found[0] == found[1] != found[2]


def test_its_aggregator_is_defined_on_its_metrics():
    aggregator = make_component("aggregator", AzNas.population)
    assert aggregator.columns == tuple(metric.name for metric in AzNas.declared)
