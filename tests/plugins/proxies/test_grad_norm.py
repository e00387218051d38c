import pytest
import torch
import zoo
from torch.nn import functional

from automl import ComponentSpec
from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl_plugins.evaluators.zero_cost import score

LOSSES = {"classification": functional.cross_entropy, "regression": functional.mse_loss}


def grad_norm(animal, task=None, **options):
    spec = ComponentSpec(name="grad_norm", options=options)
    return score(animal.network, animal.batch, task or animal.kind, proxies=(spec,))["grad_norm"].value


@pytest.mark.parametrize("name", ["convolutional", "tabular", "transformer"])
@pytest.mark.parametrize("which", ["weights", "all"])
def test_it_is_the_sum_of_the_layers_norms(name, which):
    animal = zoo.made(name)
    network = private_copy(animal.network)
    set_mode(network, "batch")
    LOSSES[animal.kind](network(animal.batch[0]), animal.batch[1]).backward()
    gradients = [p.grad for p in network.parameters() if which == "all" or p.ndim > 1]
    expected = sum(float(gradient.double().square().sum().sqrt()) for gradient in gradients)
    assert grad_norm(animal, parameters=which) == pytest.approx(expected, rel=1e-5)


def test_it_is_linear_in_the_scale_of_the_loss():
    animal = zoo.made("convolutional")
    thrice = grad_norm(animal, lambda outputs, targets: 3 * functional.cross_entropy(outputs, targets))
    assert thrice == pytest.approx(3 * grad_norm(animal), rel=1e-6)


def test_parameters_that_the_loss_does_not_depend_on_play_no_part():
    animal = zoo.made("two_heads")
    before = grad_norm(animal)
    with torch.no_grad():
        animal.network.auxiliary.weight.fill_(float("nan"))
    assert grad_norm(animal) == before
