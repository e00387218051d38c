import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from automl import ConfigurationError
from automl_spaces.evonorm import NAMED, EvoNorm, EvoNormOptions, replace_norm_act
from automl_spaces.evonorm.compiled import ChannelAffine, ExpressionLayer, NativeNorm


class Block(nn.Module):
    """A post-activation residual block; one activation follows a normalisation, and a sum too if it is shared."""

    def __init__(self, shared=True, functional=False):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.bn2 = nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.last = self.relu if shared else nn.ReLU()
        self.functional = functional

    def forward(self, x):
        y = self.bn1(self.conv1(x))
        y = F.relu(y) if self.functional else self.relu(y)
        return self.last(self.bn2(self.conv2(y)) + x)


class Untraceable(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.bn, self.relu = nn.BatchNorm2d(4), nn.ReLU()

    def forward(self, x):
        x = self.stem(x)
        return self.relu(self.bn(x)) if x.sum() > 0 else x


class Dropping(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return F.dropout(F.relu(self.bn(x)), 0.5, self.training)


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.bn = nn.BatchNorm2d(4)

    def forward(self, x):
        return self.bn(F.relu(self.bn(x)))


def images(channels=4):
    return torch.randn(2, channels, 8, 8, generator=torch.Generator().manual_seed(0))


def kinds(network):
    return [type(module).__name__ for module in network.modules()]


def test_neighbours_in_sequences_are_replaced_in_a_copy():
    model = nn.Sequential(
        nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.SiLU()),
        nn.Conv2d(8, 8, 1),
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 4, 1),
        nn.BatchNorm2d(4),
    )
    before = kinds(model)
    network, pairs, alone, untouched = replace_norm_act(model, "evonorm_b0")
    assert (pairs, alone, untouched) == (1, 2, 0)
    assert kinds(model) == before
    assert type(network) is nn.Sequential
    assert isinstance(network[0][1], ExpressionLayer)
    assert isinstance(network[0][2], nn.Identity)
    assert isinstance(network[2], ChannelAffine)
    assert isinstance(network[4], ChannelAffine)
    network(images()).sum().backward()


def test_bn_relu_in_the_place_of_bn_relu_computes_the_same():
    model = Block()
    network, pairs, alone, _ = replace_norm_act(model, "bn_relu")
    assert (pairs, alone) == (1, 1)
    assert isinstance(network.bn1, NativeNorm)
    y = model.conv2(torch.relu(F.batch_norm(model.conv1(images()), None, None, training=True)))
    torch.testing.assert_close(network(images()), torch.relu(y + images()))


def test_an_activation_used_elsewhere_too_stays_there_in_an_edited_graph():
    network, pairs, alone, untouched = replace_norm_act(Block(shared=True), "evonorm_s0")
    assert isinstance(network, fx.GraphModule)
    assert (pairs, alone, untouched) == (1, 1, 0)
    assert (network(images()) >= 0).all()
    calls = [str(node.target) for node in network.graph.nodes if node.op == "call_module"]
    assert calls == ["conv1", "bn1", "conv2", "bn2", "relu"]


def test_an_activation_of_its_own_goes_and_the_class_stays():
    network, pairs, _, _ = replace_norm_act(Block(shared=False), "evonorm_s0")
    assert type(network) is Block
    assert pairs == 1
    assert isinstance(network.relu, nn.Identity)
    assert isinstance(network.last, nn.ReLU)


def test_functional_activations_are_found():
    network, pairs, alone, _ = replace_norm_act(Block(shared=False, functional=True), "evonorm_s0")
    assert (pairs, alone) == (1, 1)
    assert not any(node.target is F.relu for node in network.graph.nodes)


def test_what_cannot_be_traced_is_replaced_in_sequences_only():
    network, pairs, alone, untouched = replace_norm_act(Untraceable(), "evonorm_s0")
    assert (pairs, alone, untouched) == (1, 0, 1)
    assert isinstance(network.stem[1], ExpressionLayer)
    assert isinstance(network.bn, nn.BatchNorm2d)


def test_a_call_that_depends_on_the_mode_is_not_frozen_by_a_trace():
    network, pairs, _, untouched = replace_norm_act(Dropping(), "evonorm_s0")
    assert (pairs, untouched) == (0, 1)
    assert type(network) is Dropping


def test_a_normalisation_with_and_without_activation_is_left():
    assert replace_norm_act(Twice(), "evonorm_s0")[1:] == (0, 0, 1)


def test_a_normalisation_that_is_the_whole_network_is_left():
    network, *counts = replace_norm_act(nn.BatchNorm2d(4), "evonorm_s0")
    assert counts == [0, 0, 1]
    assert isinstance(network, nn.BatchNorm2d)


def test_modes_and_types_are_those_of_the_old_layers():
    model = nn.Sequential(nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.ReLU()).double().eval()
    network = replace_norm_act(model, "evonorm_b0").network
    assert network[1].weight.dtype == torch.float64
    assert not network[1].training
    assert network(images().double()).dtype == torch.float64


def test_layers_are_given_as_architectures_expressions_and_names():
    model = nn.Sequential(nn.BatchNorm2d(4), nn.ReLU())
    for space in (EvoNorm(), EvoNorm(EvoNormOptions(nodes=8, series="S"))):
        network = replace_norm_act(model, space.named("evonorm_s0"), groups=2).network
        assert network[0].expression == NAMED["evonorm_s0"].canonical()
        assert network[0].groups == 2
    assert replace_norm_act(model, NAMED["evonorm_s1"]).network[0].expression == NAMED["evonorm_s1"].canonical()
    with pytest.raises(ConfigurationError, match="evonorm_s0"):
        replace_norm_act(model, "evonorm_s9")
