"""Private copies, modes, parameters and restarts."""

import threading

import pytest
import torch
import zoo
from torch import nn
from torch.nn.utils import parametrizations

from automl import Unmeasurable, is_innermost, private_copy, set_mode, trainable, weighted_layers
from automl.proxies.networks import initialise


def test_a_copy_shares_nothing_and_does_nothing_in_place():
    network = nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True), nn.BatchNorm1d(3))
    network[0].weight.grad = torch.ones(3, 3)
    copied = private_copy(network)
    copied[0].weight.data.zero_()
    copied[2].running_mean.fill_(7.0)
    assert network[0].weight.any()
    assert not network[2].running_mean.any()
    assert copied[0].weight.grad is None
    assert network[0].weight.grad is not None
    assert not copied[1].inplace
    assert network[1].inplace


def test_a_copy_takes_hooks_registered_later_by_itself():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[0].register_forward_hook(lambda module, inputs, output: output + 1)
    copied = private_copy(network)
    calls = []
    copied[1].register_forward_hook(lambda module, inputs, output: calls.append(module))
    copied[1].extra = nn.Linear(1, 1)
    inputs = torch.ones(1, 3)
    assert torch.equal(copied(inputs), network(inputs))
    assert calls == [copied[1]]
    hooks = [vars(module)[name] for module in (*network, *copied) for name in ("_forward_hooks", "_backward_hooks")]
    assert len({id(hook) for hook in hooks}) == len(hooks)
    assert not hasattr(network[1], "extra")


def test_tied_weights_stay_tied_and_are_counted_once():
    network = private_copy(zoo.made("tied_language_model").network)
    assert network.decoder.weight is network.embedding.weight
    assert list(trainable(network)).count("embedding.weight") == 1
    assert "decoder.weight" not in trainable(network)


def test_parametrised_networks_can_be_copied():
    network = nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 3)))
    assert torch.equal(private_copy(network)(torch.ones(1, 3)), network(torch.ones(1, 3)))


def test_what_cannot_be_copied_is_said():
    network = nn.Linear(3, 3)
    network.lock = threading.Lock()
    with pytest.raises(Unmeasurable, match="error: the network cannot be copied"):
        private_copy(network)


def test_computed_tensors_are_constants_of_the_copy():
    network = nn.Linear(3, 3)
    network.features = network(torch.ones(2, 3))
    copied = private_copy(network)
    assert torch.equal(copied.features, network.features)
    assert copied.features is not network.features
    assert not copied.features.requires_grad
    assert network.features.requires_grad


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_are_computed_before_each_call_stay_so():
    network = nn.utils.weight_norm(nn.Linear(3, 3))
    copied, inputs = private_copy(network), torch.ones(2, 3)
    assert torch.equal(copied(inputs), network(inputs))
    copied.weight_g.data.zero_()
    assert torch.equal(copied(inputs), copied.bias.expand(2, 3))
    assert set(trainable(copied, "all")) == {"bias", "weight_g", "weight_v"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("hidden", "reason"),
    [
        (lambda: torch.jit.trace(nn.Linear(3, 3), torch.ones(1, 3)), "TorchScript hides"),
        (lambda: nn.LazyLinear(3), "call the network once"),
        (lambda: nn.LazyBatchNorm1d(affine=False), "call the network once"),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_layers_that_cannot_be_seen_are_refused_and_not_passed_over(hidden, reason):
    with pytest.raises(Unmeasurable, match=f"unsupported: .*{reason}"):
        private_copy(nn.Sequential(nn.Linear(3, 3), hidden()))


@pytest.mark.parametrize("norm", [nn.BatchNorm2d, nn.InstanceNorm2d])
def test_batch_mode_trains_normalisation_alone(norm):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), norm(4), nn.Dropout(), nn.LSTM(4, 4, num_layers=2, dropout=0.5))
    set_mode(network, "batch")
    assert [module.training for module in network] == [False, True, False, True]
    assert network[3].dropout == 0.0
    set_mode(network, "frozen")
    assert [module.training for module in network] == [False, False, False, True]


def test_weights_have_two_axes_and_frozen_parameters_do_not_count():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 2))
    network[2].weight.requires_grad_(False)
    assert list(trainable(network)) == ["0.weight"]
    assert list(trainable(network, "all")) == ["0.weight", "0.bias", "1.weight", "1.bias", "2.bias"]


def test_weighted_layers_are_innermost():
    names = [name for name, _ in weighted_layers(zoo.made("transformer").network)]
    assert {"tokens", "positions", "head", "encoder.layers.0.linear1"} <= set(names)
    assert not any("norm" in name or name in ("", "encoder") for name in names)


@pytest.mark.parametrize(("how", "fan"), [("kaiming_fan_in", 200 * 9), ("kaiming_fan_out", 300 * 9), ("normal", 2)])
def test_restarts_have_the_published_deviation(how, fan):
    network = nn.Sequential(nn.Conv2d(200, 300, 3), nn.BatchNorm2d(300))
    with torch.no_grad():
        network[1].weight.fill_(3.0)
    initialise(network, how, torch.Generator().manual_seed(0))
    assert network[0].weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.01)
    assert not network[0].bias.any()
    assert torch.equal(network[1].weight, torch.ones(300))


def test_restarts_of_grouped_and_transposed_convolutions_and_linear_layers_are_finite():
    network = nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.ConvTranspose1d(4, 2, 3), nn.Linear(5, 1, bias=False))
    for how in ("kaiming_fan_in", "kaiming_fan_out", "normal"):
        initialise(network, how, torch.Generator().manual_seed(0))
        assert all(torch.isfinite(parameter).all() for parameter in network.parameters())


@pytest.mark.parametrize("norm", [parametrizations.weight_norm, nn.utils.parametrize.register_parametrization])
def test_restarts_reach_weights_that_are_functions_of_parameters(norm):
    plain, twin = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    norm(twin) if norm is parametrizations.weight_norm else norm(twin, "weight", Doubled())
    for network in (plain, twin):
        initialise(network, "normal", torch.Generator().manual_seed(0))
    torch.testing.assert_close(twin.weight, plain.weight)


class Doubled(nn.Module):
    """Twice a parameter."""

    def forward(self, parameter):
        return 2 * parameter

    def right_inverse(self, weight):
        return weight / 2


class Squared(nn.Module):
    """The square of a parameter, which nobody has said how to invert."""

    def forward(self, parameter):
        return parameter**2


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    "computed",
    [
        lambda layer: nn.utils.parametrize.register_parametrization(layer, "weight", Squared()),
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
    ],
)
def test_restarts_say_which_weights_they_cannot_reach(computed):
    network = nn.Sequential(nn.Linear(3, 3), computed(nn.Linear(3, 3)))
    with pytest.raises(Unmeasurable, match="unsupported: the weight of 1 is computed from other parameters"):
        initialise(network, "normal", torch.Generator().manual_seed(0))


def test_what_weights_are_computed_by_is_no_layer():
    network = nn.Sequential(parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.Sequential(nn.Linear(3, 3)))
    assert [name for name, _ in weighted_layers(network)] == ["0", "1.0"]
    assert [is_innermost(module) for module in network] == [True, False]
