"""Smallest eigenvalues of correlations of feature maps, against NumPy."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, Criterion
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.meco import Meco, least_eigenvalue


def meco(network, inputs):
    return score(network, inputs, proxies=("meco",))["meco"]


def direct(maps):
    return np.linalg.eigvalsh(np.corrcoef(maps.flatten(1).double().numpy()))[0]


def convolutions():
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, 4, 3, padding=1)
    return first, second


def noise(network, inputs):
    bench = Bench(network, Batch.of(inputs), Criterion.of("regression"))
    return torch.randn(inputs[:1].shape, generator=bench.generator("meco"))


def test_it_sums_the_smallest_eigenvalues_of_the_layers_on_one_random_input():
    first, second = convolutions()
    inputs = torch.randn(4, 3, 9, 7)
    network = nn.Sequential(first, nn.ReLU(), second)
    with torch.no_grad():
        one = first(noise(network, inputs))
        other = torch.relu(one)
        last = second(other)
    expected = sum(direct(maps[0]) for maps in (one, other, last))
    assert meco(network, inputs).value == pytest.approx(expected, rel=1e-5)


def test_containers_and_identities_do_not_count_again():
    first, second = convolutions()
    inputs = torch.randn(4, 3, 9, 7)
    flat = nn.Sequential(first, second)
    nested = nn.Sequential(nn.Sequential(nn.Sequential(first), nn.Identity()), nn.Dropout2d(), nn.Sequential(second))
    assert meco(nested, inputs).value == meco(flat, inputs).value


def test_the_batch_does_not_matter_but_its_shape_does():
    network = nn.Sequential(*convolutions())
    assert meco(network, torch.zeros(2, 3, 8, 8)).value == meco(network, torch.ones(5, 3, 8, 8)).value
    assert meco(network, torch.zeros(2, 3, 8, 9)).value != meco(network, torch.zeros(2, 3, 8, 8)).value


def test_every_eigenvalue_lies_between_0_and_1():
    generator = torch.Generator().manual_seed(0)
    for channels, positions in ((1, 5), (3, 4), (8, 100), (20, 22)):
        value = least_eigenvalue(torch.randn(channels, positions, generator=generator))
        assert 0 <= value <= 1
    assert least_eigenvalue(torch.randn(1, 9)) == pytest.approx(1.0)


@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_a_constant_map_makes_the_eigenvalue_0(constant):
    maps = torch.randn(4, 50)
    maps[1] = constant
    assert least_eigenvalue(maps) == 0.0


def test_equal_maps_make_the_eigenvalue_0():
    maps = torch.randn(4, 50)
    maps[3] = maps[0]
    assert least_eigenvalue(maps) == pytest.approx(0.0, abs=1e-12)


def test_more_channels_than_positions_everywhere_is_undefined():
    assert meco(nn.Conv2d(3, 16, 3, padding=1), torch.randn(2, 3, 4, 4)).status == "undefined"
    both = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 4, 1))
    assert meco(both, torch.randn(2, 3, 4, 4)).status == "ok"


def test_sequences_have_their_channels_where_the_layer_puts_them():
    torch.manual_seed(0)
    network, inputs = nn.Sequential(nn.Linear(5, 4)), torch.randn(3, 30, 5)
    with torch.no_grad():
        expected = direct(network(noise(network, inputs))[0].T)
    assert meco(network, inputs).value == pytest.approx(expected, rel=1e-5)
    assert meco(zoo.made("one_dimensional").network, zoo.made("one_dimensional").batch).status == "ok"


def test_a_network_on_features_is_unsupported_and_one_without_maps_too():
    assert meco(nn.Linear(4, 2), torch.randn(3, 4)).status == "unsupported"
    assert meco(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), torch.randn(3, 3, 2, 2)).status == "unsupported"


def test_overflow_is_not_finite():
    network = nn.Sequential(*convolutions())
    with torch.no_grad():
        network[0].weight.fill_(float("inf"))
    assert meco(network, torch.randn(2, 3, 8, 8)).status == "not_finite"


def test_a_layer_that_is_called_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self, calls):
            super().__init__()
            self.layer, self.calls = convolutions()[0], calls

        def forward(self, images):
            return sum(self.layer(images) for _ in range(self.calls)).mean((2, 3))

    inputs = torch.randn(2, 3, 8, 8)
    assert meco(Twice(2), inputs).value == pytest.approx(2 * meco(Twice(1), inputs).value)
    assert Meco.declared[0].direction == "max"


def test_layers_whose_weights_are_computed_count_too():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3))
    images = torch.randn(2, 3, 9, 9)
    plain = score(network, images, proxies=("meco",))["meco"].value
    nn.utils.parametrizations.weight_norm(network[0])
    assert score(network, images, proxies=("meco",))["meco"].value == pytest.approx(plain, rel=1e-4)
