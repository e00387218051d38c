"""Activations are seen wherever they are called from."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.overrides import handle_torch_function, has_torch_function_unary

from automl import WatchedActivations, register_activation


def seen(call):
    found = []
    with WatchedActivations(lambda activation, before: found.append((activation, before.clone()))):
        call()
    return found


def names(call):
    return [activation.name for activation, _ in seen(call)]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (nn.ReLU(), "relu"),
        (nn.ReLU(inplace=True), "relu"),
        (functional.relu, "relu"),
        (functional.relu_, "relu"),
        (torch.relu, "relu"),
        (torch.relu_, "relu"),
        (torch.Tensor.relu, "relu"),
        (lambda before: before.relu_(), "relu"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.PReLU(), "prelu"),
        (nn.RReLU(), "rrelu"),
        (nn.ReLU6(), "hardtanh"),
        (functional.relu6, "relu6"),
        (nn.Hardtanh(), "hardtanh"),
        (nn.Hardswish(), "hardswish"),
        (nn.Hardsigmoid(), "hardsigmoid"),
        (nn.ELU(), "elu"),
        (nn.CELU(), "celu"),
        (nn.SELU(), "selu"),
        (nn.GELU(), "gelu"),
        (nn.GELU("tanh"), "gelu"),
        (nn.SiLU(), "silu"),
        (nn.Mish(), "mish"),
        (nn.Softplus(), "softplus"),
        (nn.Tanh(), "tanh"),
        (functional.tanh, "tanh"),
        (nn.Sigmoid(), "sigmoid"),
        (functional.sigmoid, "sigmoid"),
        (torch.Tensor.sigmoid, "sigmoid"),
    ],
)
def test_every_form_of_an_activation_is_seen_once(call, name):
    before = torch.tensor([-1.0, 0.5])
    [(activation, tensor)] = seen(lambda: call(before.clone()))
    assert activation.name == name
    assert torch.equal(tensor, before)


def test_relu_and_its_leaky_kin_alone_are_exact():
    layers = (nn.ReLU(), nn.LeakyReLU(), nn.PReLU(), nn.GELU(), nn.Tanh(), nn.ReLU6())
    found = seen(lambda: [layer(torch.zeros(2)) for layer in layers])
    assert [activation.is_exact for activation, _ in found] == [True, True, True, False, False, False]


def test_a_layer_that_is_called_twice_is_seen_twice():
    layer = nn.ReLU()
    assert names(lambda: layer(layer(torch.zeros(2)))) == ["relu", "relu"]


def test_the_results_are_those_of_the_functions():
    before = torch.randn(50)
    with WatchedActivations(lambda activation, before: None):
        assert torch.equal(functional.relu(before.clone(), inplace=True), before.clamp(min=0))
        assert torch.equal(functional.leaky_relu(input=before, negative_slope=0.3), functional.leaky_relu(before, 0.3))


def test_in_place_becomes_out_of_place():
    before = torch.tensor([-1.0, 1.0])
    with WatchedActivations(lambda activation, before: None):
        functional.relu(before, inplace=True)
    assert before.tolist() == [-1.0, 1.0]


def test_a_method_in_place_is_left_as_it_is():
    before = torch.tensor([-1.0, 1.0])
    with WatchedActivations(lambda activation, before: None):
        before.relu_()
    assert before.tolist() == [0.0, 1.0]


def test_the_input_is_detached():
    found = []
    with WatchedActivations(lambda activation, before: found.append(before.requires_grad)):
        torch.relu(torch.ones(2, requires_grad=True))
    assert found == [False]


def test_other_functions_are_not_seen():
    assert names(lambda: [torch.exp(torch.zeros(2)), nn.Linear(2, 2)(torch.zeros(1, 2)), torch.zeros(2).clamp(0)]) == []


def test_an_activation_of_your_own_can_be_registered():
    def squared_relu(before):
        if has_torch_function_unary(before):
            return handle_torch_function(squared_relu, (before,), before)
        return torch.clamp(before, min=0) ** 2

    register_activation(squared_relu, "squared_relu", is_exact=True)
    [(activation, _)] = seen(lambda: squared_relu(torch.tensor([2.0])))
    assert (activation.name, activation.is_exact) == ("squared_relu", True)


def test_nothing_is_seen_afterwards():
    found = []
    with WatchedActivations(lambda activation, before: found.append(activation)):
        pass
    torch.relu(torch.zeros(2))
    assert found == []
