import math

import pytest
import torch
import zoo
from torch import nn

from automl import ComponentSpec
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies._extended import Extended


def synflow(network, batch, kind="classification", **options):
    return score(network, batch, kind, proxies=(ComponentSpec(name="synflow", options=options),))["synflow"]


def normal(width=64, bias=False):
    layer = nn.Linear(width, width, bias=bias)
    nn.init.normal_(layer.weight)
    return layer


class Chain(nn.Module):
    """Layers one after the other, with or without shortcuts."""

    def __init__(self, depth, residual, width=64):
        super().__init__()
        self.layers, self.residual = nn.ModuleList(normal(width) for _ in range(depth)), residual

    def forward(self, x):
        for layer in self.layers:
            x = x + torch.relu(layer(x)) if self.residual else torch.relu(layer(x))
        return x


def by_dual_numbers(network):
    """Return the logarithm of the flow by forward differentiation, both numbers divided as they grow."""
    value = torch.ones(network.layers[0].in_features, dtype=torch.float64)
    slope, logarithm, kept = torch.zeros_like(value), 0.0, float(network.residual)
    for layer in network.layers:
        weight = layer.weight.detach().double().abs()
        slope = kept * slope + weight @ slope + weight @ value
        value = kept * value + weight @ value
        factor = float(value.max())
        value, slope, logarithm = value / factor, slope / factor, logarithm + math.log(factor)
    return logarithm + math.log(float(slope.sum()))


def by_autograd(network, ones):
    """Return the flow of a network whose normalisation has been taken out."""
    network = network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    weights = [p for p in network.parameters() if p.ndim > 1]
    gradients = torch.autograd.grad(network(ones.double()).sum(), weights)
    return math.log(sum(float((w * g).sum()) for w, g in zip(weights, gradients, strict=True)))


@pytest.mark.parametrize("residual", [False, True], ids=["chain", "residual"])
@pytest.mark.parametrize(("depth", "method"), [(8, "float64"), (150, "float64"), (600, "extended float64")])
def test_no_depth_overflows(depth, method, residual):
    """Chains of width 64 leave float32 after 23 layers and float64 after 181."""
    torch.manual_seed(0)
    network = Chain(depth, residual)
    found = synflow(network, torch.randn(2, 64))
    assert found.value == pytest.approx(by_dual_numbers(network), rel=1e-12)
    assert found.method == method


@pytest.mark.parametrize("scale", [1e-4, 1e4])
def test_no_scale_of_the_weights_overflows(scale):
    """Where the whole flow underflows, too."""
    torch.manual_seed(0)
    network = Chain(120, residual=False, width=16)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(scale)
    found = synflow(network, torch.randn(2, 16))
    assert found.value == pytest.approx(by_dual_numbers(network), rel=1e-12)
    assert found.method == "extended float64"


def test_a_deep_network_of_many_operations_agrees_with_its_scaled_down_self():
    """Every path of this one has all layers, so weights a tenth as large take ln 10 for each layer off the flow."""
    torch.manual_seed(0)

    class Mixed(nn.Module):
        def __init__(self, depth):
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1, bias=False)
            self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1, bias=False) for _ in range(depth))
            self.norms = nn.ModuleList(nn.BatchNorm2d(8) for _ in range(depth))
            self.head = nn.Linear(8, 3, bias=False)

        def forward(self, x):
            x = self.stem(x)
            for layer, norm in zip(self.layers, self.norms, strict=True):
                y = norm(layer(x)).relu()
                x = torch.cat([y[:, 4:], nn.functional.max_pool2d(y[:, :4], 3, 1, 1)], dim=1)
            return self.head(nn.functional.adaptive_avg_pool2d(x, 1).flatten(1))

    network, depth, images = Mixed(500), 502, torch.randn(2, 3, 8, 8)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(10)
    large = synflow(network, images)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.div_(100 if parameter.ndim > 1 else 1)
    small = synflow(network, images)
    assert large.method == "extended float64"
    assert large.value - small.value == pytest.approx(depth * math.log(100), rel=1e-6)


def test_what_overflows_in_an_operation_that_is_not_homogeneous_is_said():
    torch.manual_seed(0)
    found = synflow(nn.Sequential(Chain(250, residual=False), nn.Tanh(), nn.Linear(64, 3)), torch.randn(2, 64))
    assert (found.status, found.value) == ("not_finite", None)
    assert "tanh" in found.reason


class Overwriting(nn.Module):
    """Writes a part of the hidden values where they are."""

    def __init__(self, write):
        super().__init__()
        self.body, self.head, self.write = Chain(250, residual=False), nn.Linear(64, 3), write

    def forward(self, x):
        hidden = self.body(x) * 1.0
        self.write(hidden)
        return self.head(hidden)


@pytest.mark.parametrize(
    "write",
    [lambda x: x.add_(x.flip(1)), lambda x: x.mul_(x.flip(1).detach()), lambda x: x.__setitem__((slice(None), 0), 1.0)],
    ids=["add_", "mul_", "setitem"],
)
def test_what_is_overwritten_beyond_float64_is_said_and_not_lost(write):
    torch.manual_seed(0)
    assert synflow(Overwriting(write), torch.randn(2, 64)).status == "not_finite"


@pytest.mark.parametrize(
    "operation",
    [
        lambda x, y: x + y,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: torch.stack([y, x]),
        lambda x, y: x - 0.5 * y,
        lambda x, y: x * y / 3.0,
        lambda x, y: 1.0 + x,
        lambda x, y: torch.add(x, other=y, alpha=2),
        lambda x, y: torch.maximum(x, y),
        lambda x, y: torch.max(x, torch.full_like(y, 1e60)),
        lambda x, y: nn.functional.pad(x, (1, 1), value=1e70),
        lambda x, y: nn.functional.pad(x, (1, 1)).relu().mean(),
        lambda x, y: nn.functional.linear(x, torch.eye(3).double(), torch.full((3,), 1e80, dtype=torch.float64)),
        lambda x, y: x.sqrt() + y.log(),
        lambda x, y: torch.einsum("i,i->", x, y),
        lambda x, y: torch.where(x > y, x, y),
    ],
)
def test_numbers_with_an_exponent_apart_are_the_same_numbers(operation):
    """Within the range of float64, where both can be computed; gradients too."""
    first, second = (torch.tensor(values, dtype=torch.float64) for values in ([1e90, 2e85, 5e70], [3e75, 1.0, 7e92]))
    plain = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    apart = [first.clone().requires_grad_(), second.clone().requires_grad_()]
    told = operation(*plain)
    found = operation(*(Extended.of(value) for value in apart))
    torch.testing.assert_close(found.values(), told, rtol=1e-12, atol=0.0)
    told.sum().backward()
    found.values().sum().backward()
    for one, other in zip(plain, apart, strict=True):
        ours = torch.zeros_like(one) if other.grad is None else other.grad
        torch.testing.assert_close(ours, torch.zeros_like(one) if one.grad is None else one.grad, rtol=1e-12, atol=0.0)


def test_every_layer_of_a_chain_carries_the_whole_flow():
    torch.manual_seed(0)
    network = Chain(5, residual=False, width=6)
    value = torch.ones(6, dtype=torch.float64)
    for layer in network.layers:
        value = layer.weight.detach().double().abs() @ value
    assert synflow(network, torch.randn(2, 6)).value == pytest.approx(math.log(5 * float(value.sum())), rel=1e-12)


@pytest.mark.parametrize("name", ["convolutional", "group_norm_only", "gelu"])
def test_it_is_what_autograd_says_without_normalisation(name):
    animal, plain = zoo.made(name), zoo.made(name).network
    for i, layer in enumerate(plain):
        if isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
            plain[i] = nn.Identity()
    found = synflow(animal.network, animal.batch).value
    assert found == pytest.approx(by_autograd(plain, torch.ones(1, 3, 8, 8)), rel=1e-9)


def test_normalisation_of_examples_may_stay_as_in_the_published_code():
    animal = zoo.made("group_norm_only")
    with_norms = by_autograd(zoo.made("group_norm_only").network, torch.ones(1, 3, 8, 8))
    assert synflow(animal.network, animal.batch).value != pytest.approx(with_norms, rel=1e-3)
    batch_norm = zoo.made("convolutional")
    both = [synflow(batch_norm.network, batch_norm.batch, bypass=bypass).value for bypass in ("all", "batch")]
    assert both[0] == both[1]


def test_neither_the_data_nor_the_tokens_play_a_part():
    for name in ("convolutional", "tabular", "transformer"):
        animal = zoo.made(name)
        inputs = animal.batch[0]
        other = inputs + 1 if inputs.is_floating_point() else (inputs + 1) % 20
        assert synflow(animal.network, animal.batch, animal.kind).value == synflow(animal.network, other).value


def test_tokens_enter_as_ones_behind_the_embedding():
    animal = zoo.made("transformer")
    before = synflow(animal.network, animal.batch).value
    with torch.no_grad():
        animal.network.tokens.weight.mul_(7)
    assert synflow(animal.network, animal.batch).value == before


def test_tokens_without_an_embedding_are_refused():
    class Counts(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, tokens):
            return self.head(nn.functional.one_hot(tokens, 5).to(self.head.weight.dtype).sum(1))

    assert synflow(Counts(), torch.randint(0, 5, (4, 6))).status == "unsupported"


def test_a_network_that_is_cut_off_has_no_flow():
    class CutOff(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, x):
            return self.head(torch.zeros_like(x))

    assert synflow(CutOff(), torch.randn(2, 4)).status == "undefined"
