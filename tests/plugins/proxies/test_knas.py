import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec, private_copy
from automl_plugins.evaluators.zero_cost import score


def knas(model, batch, task="classification", **options):
    return score(model, batch, task, proxies=(ComponentSpec(name="knas", options=options),))["knas"]


def frozen(model, inputs):
    """A copy whose normalisation has the mean and the biased variance of its inputs, set layer by layer."""
    own = private_copy(model).eval()
    values = inputs
    for layer in own if isinstance(own, nn.Sequential) else ():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = values.mean((0, 2, 3)).detach()
            layer.running_var = values.var((0, 2, 3), correction=0).detach()
        values = layer(values)
    return own


def gram(model, inputs, losses):
    """All products of the examples' gradients, one backward pass each."""
    own = frozen(model, inputs)
    rows = []
    for index in range(len(inputs)):
        gradients = torch.autograd.grad(losses(own(inputs[index : index + 1]), index), list(own.parameters()))
        rows.append(torch.cat([gradient.flatten() for gradient in gradients]))
    return torch.stack(rows) @ torch.stack(rows).T


def test_score_is_the_mean_of_all_products_of_gradients():
    animal = zoo.made("convolutional")
    inputs, labels = animal.batch
    expected = gram(
        animal.network, inputs, lambda outputs, index: functional.cross_entropy(outputs, labels[index : index + 1])
    )
    found = knas(animal.network, animal.batch)
    assert found.value == pytest.approx(float(expected.mean()), rel=1e-4)
    assert (found.bn_mode, found.direction) == ("frozen", "max")


def test_score_of_a_regression_is_the_mean_of_all_products_too():
    animal = zoo.made("tabular")
    inputs, targets = animal.batch
    expected = gram(
        animal.network, inputs, lambda outputs, index: functional.mse_loss(outputs, targets[index : index + 1])
    )
    assert knas(animal.network, animal.batch, "regression").value == pytest.approx(float(expected.mean()), rel=1e-5)


def test_biases_can_be_left_out():
    animal = zoo.made("tabular")
    both = [knas(animal.network, animal.batch, "regression", parameters=which).value for which in ("all", "weights")]
    assert both[0] > both[1] > 0


def test_network_without_parameters_has_none():
    assert knas(*(lambda animal: (animal.network, animal.batch))(zoo.made("buffers_only"))).status == "unsupported"
