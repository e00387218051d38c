"""Distinct patterns of units, against a set of tuples."""

import math

import pytest
import torch
from torch import nn

from automl import ComponentSpec, ConfigurationError
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.swap import SampleWords, distinct_rows, packed_examples


def swap(network, inputs, **options):
    return score(network, inputs, proxies=(ComponentSpec(name="swap", options=options),))["swap"]


def direct(patterns):
    """Distinct columns of the sign matrices `(examples, units)`."""
    return len({tuple(column.tolist()) for pattern in patterns for column in pattern.T})


def made(width=9, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 2))


@pytest.mark.parametrize("examples", [1, 3, 7, 64, 65, 130])
def test_it_counts_distinct_rows_exactly_for_any_number_of_examples(examples):
    inputs = torch.randn(examples, 4, generator=torch.Generator().manual_seed(examples))
    network = made(width=40)
    with torch.no_grad():
        first = network[0](inputs)
        second = network[2](torch.relu(first))
    expected = direct([first > 0, second > 0])
    assert swap(network, inputs).value == expected
    assert expected <= min(80, 2**examples)


@pytest.mark.parametrize("examples", [1, 64, 130])
def test_a_single_unit_is_packed(examples):
    assert packed_examples(torch.ones(examples, 1, dtype=torch.bool)).shape == (1, -(-examples // 64))


@pytest.mark.parametrize("examples", [2, 64, 70, 200])
def test_units_that_differ_on_one_example_are_told_apart_whichever_it_is(examples):
    patterns = torch.eye(examples, dtype=torch.bool)
    patterns = torch.cat([patterns, patterns, torch.zeros(examples, 3, dtype=torch.bool)], dim=1)
    assert distinct_rows(packed_examples(patterns)) == examples + 1


def test_layers_are_counted_together():
    watching = SampleWords()
    pattern = torch.rand(10, 50, generator=torch.Generator().manual_seed(0)) > 0.5
    watching.see(pattern)
    watching.see(pattern[:, :20])
    assert watching.distinct() == direct([pattern])


def test_the_regularised_score_is_the_count_times_the_gaussian_of_the_parameters():
    network, inputs = made(), torch.randn(16, 4)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    plain, regularised = swap(network, inputs), swap(network, inputs, mu=100.0, sigma=5000.0)
    assert regularised.value == pytest.approx(plain.value * math.exp(-((parameters - 100) ** 2) / 5000))
    assert swap(network, inputs, mu=float(parameters), sigma=1.0).value == plain.value


def test_a_regularisation_that_underflows_is_said_and_not_0():
    assert swap(made(), torch.randn(8, 4), mu=1e6, sigma=1.0).status == "undefined"


def test_mu_without_sigma_is_refused():
    with pytest.raises(ConfigurationError, match="set mu and sigma together"):
        swap(made(), torch.randn(8, 4), mu=1.0)


def test_a_network_without_activations_is_unsupported():
    assert swap(nn.Linear(4, 2), torch.randn(8, 4)).status == "unsupported"
