"""Every proxy is a function of the network, the batch, its options and the seed."""

import pytest
import torch
import zoo

from automl.plugins import registry
from automl_plugins.evaluators.zero_cost import score


def values(proxy, animal, seed=0, noise=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(noise)
        found = score(animal.network, animal.batch, animal.kind, proxies=(proxy,), seeds=(seed,))
    return {name: (one.value, one.status, one.reason) for name, one in found.items()}


@pytest.mark.parametrize("name", ["convolutional", "transformer", "tabular"])
@pytest.mark.parametrize("proxy", registry().names("proxy"))
def test_same_seed_gives_the_same_bits_whatever_the_global_generator_holds(proxy, name):
    first = values(proxy, zoo.made(name), noise=1)
    assert values(proxy, zoo.made(name), noise=2) == first


@pytest.mark.parametrize("proxy", ["zen", "te_nas", "az_nas", "meco"])
def test_what_a_proxy_draws_depends_on_the_seed(proxy):
    animal = zoo.made("convolutional")
    assert values(proxy, animal, 0) != values(proxy, animal, 1)
