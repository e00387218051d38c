import math

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, ComponentSpec, Criterion, make_component
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.zen import Zen
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options


class Rgb:
    """What a space asks of a task: the images of CIFAR-10."""

    input_shape, output_size, is_image = (3, 32, 32), 10, True


def zen(model, images, seed=0, **options):
    return score(model, images, proxies=(ComponentSpec(name="zen", options=options),), seeds=(seed,))["zen"]


def by_hand(model, images, layers, seed=0, gamma=0.01):
    """The score of one draw of a chain: the features are what its first ``layers`` layers return."""
    bench = Bench(model, Batch.of(images), Criterion.of("classification"), seed=seed)
    chain = bench.fresh(init="normal")[:layers].train()
    generator = bench.generator("zen inputs")
    inputs = torch.randn(images.shape, generator=generator)
    noise = torch.randn(images.shape, generator=generator)
    scaling, values = 0.0, inputs
    for layer in chain:
        if isinstance(layer, nn.BatchNorm2d):
            of_channel = [values[:, channel].detach().numpy().var() for channel in range(values.shape[1])]
            scaling += math.log(math.sqrt(np.mean(of_channel)))
        values = layer(values)
    changes = (chain(inputs + gamma * noise) - chain(inputs)).detach().numpy()
    return math.log(np.mean([np.abs(one).sum() for one in changes])) + scaling


def test_score_is_that_of_the_formula_on_a_chain():
    animal = zoo.made("convolutional")
    images = torch.randn(6, 3, 8, 8)
    expected = by_hand(animal.network, images, 6)
    assert zen(animal.network, images, repeats=1).value == pytest.approx(expected, rel=1e-5)
    assert zen(animal.network, images, repeats=1, gamma=0.1).value == pytest.approx(
        by_hand(animal.network, images, 6, gamma=0.1), rel=1e-5
    )


def test_running_variance_holds_most_of_its_initial_one():
    model, images = (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2)),
        torch.randn(4, 3, 8, 8),
    )
    of_batch, running = (zen(model, images, repeats=1, variance=name).value for name in ("batch", "running"))
    variance = 27.0  # of the sum of 27 products of N(0, 1)
    expected = 0.5 * math.log(variance) - 0.5 * math.log(0.81 + 0.19 * variance)
    assert of_batch - running == pytest.approx(expected, abs=0.25)


def test_weights_of_the_caller_do_not_matter_but_the_seed_does():
    images = torch.randn(4, 3, 8, 8)
    found = [
        zen(zoo.made("convolutional", weights).network, images, seed).value
        for weights, seed in ((0, 0), (1, 0), (0, 1))
    ]
    assert found[0] == found[1] != found[2]


def test_repeats_draw_weights_of_their_own_and_are_averaged():
    model, images = zoo.made("convolutional").network, torch.randn(4, 3, 8, 8)
    found = [zen(model, images, repeats=repeats).value for repeats in (1, 2)]
    assert found[0] != found[1]


def test_what_overflows_single_precision_is_scored_in_double():
    deep = nn.Sequential(
        *(nn.Conv2d(64 if i else 3, 64, 1, bias=False) for i in range(50)), nn.Flatten(), nn.Linear(64, 2)
    )
    found = zen(deep, torch.randn(4, 3, 1, 1), repeats=1)
    assert (found.status, found.method) == ("ok", "float64")
    assert found.value == pytest.approx(50 * 0.5 * math.log(64), rel=0.05)
    assert found.value > math.log(torch.finfo(torch.float32).max)


@pytest.mark.parametrize("name", ["transformer", "tabular", "lstm"])
def test_what_are_no_images_is_refused(name):
    animal = zoo.made(name)
    assert zen(animal.network, animal.batch).status == "unsupported"


def test_cell_without_a_path_is_undefined():
    space, task = NasBench201(NasBench201Options(channels=2)), make_component("task", "digits")
    network = space.build(Cell(("none",) * 6), task)
    assert zen(network, torch.randn(4, 1, 8, 8)).status == "undefined"


def test_declared_direction_is_that_of_the_paper():
    assert Zen.declared[0].direction == "max"


@pytest.mark.slow
def test_ranks_agree_with_published_scores(automl_data):
    table = np.load(automl_data("nasbench201/zero_cost_9445.npz"))
    cells = np.load(automl_data("nasbench201/nasbench201.npz"))
    space = NasBench201(NasBench201Options(channels=16, cells_per_stage=5))
    rows = np.random.default_rng(0).choice(len(table["index"]), 40, replace=False)
    names = [str(name) for name in cells["op_names"]]
    found = {"batch": [], "running": []}
    for row in rows:
        blueprint = Cell(tuple(names[index] for index in cells["ops"][table["index"][row]]))
        network = space.build(blueprint, Rgb())
        for variance, values in found.items():
            values.append(zen(network, torch.empty(16, 3, 32, 32), variance=variance).value)
    published = table["scores_cifar10"][rows, list(table["proxies"]).index("zen")]
    ranks = [np.argsort(np.argsort(values)) for values in (published, found["running"], found["batch"])]
    of_running, of_batch = np.corrcoef(ranks)[0, 1:]
    assert of_running > 0.98
    assert of_batch > 0.85


def test_half_precision_is_scored_in_single():
    images = torch.randn(4, 3, 8, 8)
    network = zoo.convolutional(nn.BatchNorm2d)
    single, half = zen(network, images), zen(network.bfloat16(), images.bfloat16())
    assert half.value == pytest.approx(single.value, rel=1e-6)
