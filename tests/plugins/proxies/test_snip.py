import pytest
import torch
import zoo
from torch.func import functional_call
from torch.nn import functional

from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl_plugins.evaluators.zero_cost import score

LOSSES = {"classification": functional.cross_entropy, "regression": functional.mse_loss}


@pytest.mark.parametrize("name", ["convolutional", "tabular", "transformer"])
def test_it_is_the_gradient_of_masks_of_ones(name):
    """The published definition: every weight is multiplied by a mask, and the loss differentiated by the masks."""
    animal = zoo.made(name)
    network = private_copy(animal.network)
    set_mode(network, "batch")
    weights = {key: p.detach() for key, p in network.named_parameters()}
    masks = {key: torch.ones_like(p, requires_grad=True) for key, p in weights.items() if p.ndim > 1}
    masked = {key: p * masks[key] if key in masks else p for key, p in weights.items()}
    loss = LOSSES[animal.kind](functional_call(network, masked, (animal.batch[0],)), animal.batch[1])
    expected = sum(float(g.abs().double().sum()) for g in torch.autograd.grad(loss, list(masks.values())))
    found = score(animal.network, animal.batch, animal.kind, proxies=("snip",))["snip"].value
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", [name for name in zoo.ANIMALS if name != "buffers_only"])
def test_it_is_no_less_than_the_signed_sum(name):
    animal = zoo.made(name)
    found = score(animal.network, animal.batch, animal.kind, proxies=("snip", "plain"))
    assert found["snip"].value >= abs(found["plain"].value)
