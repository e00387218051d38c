"""The log-determinant of the kernel of activation patterns, against the formula of the paper in plain NumPy."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec, Unmeasurable
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies._patterns import by_example
from automl_plugins.proxies.naswot import AgreementKernel, differences, log_determinant


def naswot(network, inputs, **options):
    return score(network, inputs, proxies=(ComponentSpec(name="naswot", options=options),))["naswot"]


def direct_kernel(patterns):
    """K = sum over layers of A A' + (1 - A)(1 - A)', entry by entry."""
    examples = len(patterns[0])
    kernel = np.zeros((examples, examples))
    for pattern in patterns:
        for i in range(examples):
            for j in range(examples):
                kernel[i, j] += sum(a == b for a, b in zip(pattern[i], pattern[j], strict=True))
    return kernel


def network_and_patterns(inputs):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 13), nn.ReLU(), nn.Linear(13, 9), nn.LeakyReLU(), nn.Linear(9, 3))
    first = network[0](inputs)
    second = network[2](torch.relu(first))
    return network, [(first > 0).tolist(), (second > 0).tolist()]


def test_it_is_the_log_determinant_of_the_formula():
    inputs = torch.randn(7, 6, generator=torch.Generator().manual_seed(0))
    network, patterns = network_and_patterns(inputs)
    found = naswot(network, inputs)
    assert found.value == pytest.approx(np.log(abs(np.linalg.det(direct_kernel(patterns)))), rel=1e-12)
    assert found.method == "sign of pre-activation"


def test_the_kernel_is_the_units_less_the_hamming_distance_for_any_number_of_units():
    rng = np.random.default_rng(0)
    layers = [rng.random((5, units)) > 0.5 for units in (1, 7, 8, 64, 65, 200)]
    watching = AgreementKernel()
    for layer in layers:
        watching.units += layer.shape[1]
        watching.see(torch.from_numpy(layer))
    kernel = watching.kernel()
    np.testing.assert_array_equal(kernel, direct_kernel(layers))
    assert (np.diag(kernel) == sum(layer.shape[1] for layer in layers)).all()


def test_blocks_of_patterns_add_up():
    rng = np.random.default_rng(1)
    layers = [rng.random((6, 40_000)) > 0.5 for _ in range(5)]
    watching = AgreementKernel()
    for layer in layers:
        watching.units += layer.shape[1]
        watching.see(torch.from_numpy(layer))
    whole = np.concatenate(layers, axis=1)
    expected = whole.shape[1] - (whole[:, None] != whole[None]).sum(-1)
    np.testing.assert_array_equal(watching.kernel(), expected)


def test_the_matrix_product_counts_the_same_differences():
    pattern = torch.rand(9, 1001, generator=torch.Generator().manual_seed(2)) > 0.3
    assert torch.equal(differences(pattern), (pattern[:, None] != pattern[None]).sum(-1))


def test_an_example_twice_is_singular_and_not_minus_infinity():
    inputs = torch.randn(5, 6)
    network, _ = network_and_patterns(inputs)
    inputs[3] = inputs[1]
    found = naswot(network, inputs)
    assert (found.status, found.value) == ("singular", None)
    assert "(1, 3)" in found.reason


def test_more_examples_than_units_can_tell_apart_are_singular_too():
    pairs = np.array([[bool(number & 1), bool(number & 2), bool(number & 4)] for number in range(8)])
    watching = AgreementKernel()
    watching.units = 3
    watching.see(torch.from_numpy(pairs))
    found = log_determinant(watching.kernel())
    assert isinstance(found, Unmeasurable)
    assert found.status == "singular"


def test_functions_and_modules_and_methods_count_alike():
    class Functional(nn.Module):
        def __init__(self, activation):
            super().__init__()
            self.inner, self.outer, self.activation = nn.Linear(6, 20), nn.Linear(20, 3), activation

        def forward(self, features):
            return self.outer(self.activation(self.inner(features)))

    inputs = torch.randn(6, 6, generator=torch.Generator().manual_seed(3))
    found = []
    for activation in (nn.ReLU(inplace=True), functional.relu, torch.relu, torch.Tensor.relu, torch.relu_):
        torch.manual_seed(1)
        found.append(naswot(Functional(activation), inputs).value)
    assert found[0] is not None
    assert found == [found[0]] * 5


def test_a_layer_that_is_called_twice_counts_twice():
    class Twice(nn.Module):
        def __init__(self, calls):
            super().__init__()
            self.inner, self.relu, self.calls = nn.Linear(6, 20), nn.ReLU(), calls

        def forward(self, features):
            hidden = self.inner(features)
            return sum(self.relu(hidden) for _ in range(self.calls))

    inputs = torch.randn(6, 6)
    torch.manual_seed(1)
    once, twice = Twice(1), Twice(2)
    twice.load_state_dict(once.state_dict())
    assert naswot(twice, inputs).value == pytest.approx(naswot(once, inputs).value + 6 * np.log(2))


def test_approximate_activations_are_marked_and_can_be_left_out():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 20), nn.GELU(), nn.Linear(20, 3))
    inputs = torch.randn(6, 6)
    both, exact = naswot(network, inputs), naswot(network, inputs, activations="exact")
    assert both.method == "sign of pre-activation, approximate for gelu"
    assert exact.method == "sign of pre-activation"
    assert exact.value == pytest.approx(naswot(network[:3], inputs).value)


def test_a_network_without_activations_is_unsupported():
    found = naswot(nn.Linear(6, 3), torch.randn(4, 6))
    assert found.status == "unsupported"
    assert found.reason.startswith("the network executes no activation")


def test_an_overflow_is_not_finite():
    network = nn.Sequential(nn.Linear(6, 20), nn.ReLU(), nn.Linear(20, 3))
    with torch.no_grad():
        network[0].weight.mul_(1e38)
        network[2].weight.mul_(1e38)
    assert naswot(network, torch.randn(4, 6)).status == "not_finite"


def test_positions_flattened_into_examples_belong_to_their_example():
    class Flattened(nn.Module):
        def __init__(self, is_flat):
            super().__init__()
            self.inner, self.is_flat = nn.Linear(5, 8), is_flat

        def forward(self, sequence):
            hidden = self.inner(sequence)
            if self.is_flat:
                return torch.relu(hidden.flatten(0, 1)).view_as(hidden).mean(1)
            return torch.relu(hidden.transpose(0, 1)).mean(0)

    inputs = torch.randn(4, 6, 5)
    torch.manual_seed(0)
    flat, positions_first = Flattened(True), Flattened(False)
    positions_first.load_state_dict(flat.state_dict())
    expected = (flat.inner(inputs) > 0).flatten(1).numpy()
    value = np.linalg.slogdet(direct_kernel([expected])).logabsdet
    assert naswot(flat, inputs).value == pytest.approx(value)
    assert naswot(positions_first, inputs).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("shape", "rows"),
    [
        ((4,), (4, 1)),
        ((4, 7), (4, 7)),
        ((4, 4, 4), (4, 16)),
        ((9, 4, 5), (4, 45)),
        ((8, 4, 5), (4, 40)),
        ((8, 4), (4, 8)),
        ((8, 4, 3, 3), (4, 72)),
        ((), None),
        ((8,), None),
        ((7, 4), None),
    ],
)
def test_examples_are_told_from_other_axes(shape, rows):
    found = by_example(torch.zeros(shape), 4)
    assert (None if found is None else tuple(found.shape)) == rows


@pytest.mark.parametrize("animal", ["transformer", "keywords"])
def test_the_activations_of_a_transformer_encoder_in_evaluation_mode_are_seen(animal):
    """In evaluation mode without gradients torch would otherwise run a fused kernel, activations included."""
    made = zoo.made(animal)
    made.network.eval()
    alone = naswot(made.network, made.batch)
    together = score(made.network, made.batch, proxies=("naswot", "grad_norm"))["naswot"]
    assert alone.status == "ok"
    assert alone.value == pytest.approx(together.value)


def test_the_same_seed_gives_the_same_bits():
    inputs = torch.randn(6, 6)
    network, _ = network_and_patterns(inputs)
    assert naswot(network, inputs).value == naswot(network, inputs).value
