"""The registry as a whole: every entry is tested by being listed."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from automl import ConfigurationError
from automl_spaces.ops import activations
from automl_spaces.ops.activations.choice import CURATED
from automl_spaces.ops.activations.costs import COSTS
from automl_spaces.ops.activations.entries import FLAGS, Pointwise
from automl_spaces.ops.activations.registry import ALIASES, ENTRIES, families, make, names

ALL = sorted(ENTRIES)
SAME = sorted(names("all"))
OWN = sorted(name for name, entry in ENTRIES.items() if entry.curve is not None)
EXTREMES = (0.0, 1e-8, -1e-8, 20.0, -20.0, 100.0, -100.0, 1e4, -1e4)
GRID = torch.linspace(-6, 6, 1201, dtype=torch.float64)


def network(name, channels=None):
    return make(name, channels).double().eval()


def values_and_slopes(name, x):
    inputs = x[:, None].clone().requires_grad_()
    outputs = network(name)(inputs)
    (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
    return outputs.detach().view(-1), slopes.view(-1)


def test_there_are_more_than_a_hundred_with_distinct_names():
    assert len(ENTRIES) >= 100
    assert len(names("all")) >= 100
    assert not set(ALIASES) & set(ENTRIES)
    every = [alias for entry in ENTRIES.values() for alias in entry.aliases]
    assert len(every) == len(set(every)) == len(ALIASES)
    assert set(CURATED) <= set(names("all"))
    assert [name for members in families().values() for name in members] == list(names("all"))


@pytest.mark.parametrize("name", ALL)
def test_an_entry_is_complete(name):
    entry = ENTRIES[name]
    assert entry.formula
    assert entry.reference.authors
    assert 1980 < entry.reference.year < 2030
    assert entry.flags <= set(FLAGS)
    assert COSTS[name] > 0
    assert entry.gain > 0
    assert all(activations.entry(alias) is entry for alias in entry.aliases)
    for parameter in entry.parameters:
        assert parameter.low <= parameter.default <= parameter.high


def test_unknown_names_and_parameters_are_configuration_errors():
    with pytest.raises(ConfigurationError, match="did you mean 'mish'"):
        make("mihs")
    with pytest.raises(ConfigurationError, match="has no parameter 'alfa'; it has alpha"):
        make("elu", alfa=2.0)
    with pytest.raises(ConfigurationError, match="takes 2 channels together"):
        make("glu", channels=3)


@pytest.mark.parametrize("name", ALL)
def test_values_and_gradients_are_finite_far_out(name):
    channels = 4
    x = torch.cat((torch.linspace(-6, 6, 101), torch.tensor(EXTREMES)))[:, None].repeat(1, channels).requires_grad_()
    module = make(name, channels).eval()
    outputs = module(x)
    outputs.sum().backward()
    assert torch.isfinite(outputs).all()
    assert torch.isfinite(x.grad).all()
    assert all(one.grad is None or torch.isfinite(one.grad).all() for one in module.parameters())


@pytest.mark.parametrize("name", OWN)
def test_the_slope_is_the_derivative_of_the_function(name):
    """Autograd's derivative of the composed form, which `gradcheck` confirms, and that of the pieces agree."""
    entry = ENTRIES[name]
    x = (GRID[::37] + 0.0137).clone().requires_grad_()
    values = [
        torch.tensor(one.default, dtype=torch.float64, requires_grad=True) if one.trainable else one.default
        for one in entry.parameters
    ]
    inputs = [x, *[value for value in values if isinstance(value, torch.Tensor)]]
    weights = torch.linspace(0.5, 1.5, len(x), dtype=torch.float64)
    expected = torch.autograd.grad((entry.curve.function(x, *values) * weights).sum(), inputs, materialize_grads=True)
    found = torch.autograd.grad((entry.curve(x, *values) * weights).sum(), inputs, materialize_grads=True)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)
    plain = [value.detach() if isinstance(value, torch.Tensor) else value for value in values]
    assert torch.autograd.gradcheck(lambda x: entry.curve(x, *plain), (x,), atol=1e-6)


@pytest.mark.parametrize("name", SAME)
def test_flags_hold_on_a_grid(name):
    flags = ENTRIES[name].flags
    values, _ = values_and_slopes(name, GRID)
    far, _ = values_and_slopes(name, torch.tensor([-1e6, -20.0, 20.0, 1e6], dtype=torch.float64))
    is_rising = bool((values.diff() >= -1e-12).all())
    assert is_rising == ("monotone" in flags)
    assert bool((values + values.flip(0)).abs().max() < 1e-12) == ("odd" in flags)
    assert bool((values - values.flip(0)).abs().max() < 1e-12) == ("even" in flags)
    assert (abs(float(network(name)(torch.zeros(1, 1, dtype=torch.float64)).detach())) < 1e-12) == ("zero" in flags)
    assert bool((far > -10).all()) == ("below" in flags)
    assert bool((far < 10).all()) == ("above" in flags)
    doubled, _ = values_and_slopes(name, GRID * 2)
    is_homogeneous = bool((doubled - values * 2).abs().max() < 1e-9)
    if "homogeneous" in flags or not list(make(name).parameters()):  # the first values of others may happen to be so
        assert is_homogeneous == ("homogeneous" in flags)


@pytest.mark.parametrize("name", SAME)
def test_smoothness_is_as_declared(name):
    """A jump of the value, or of the slope, is seen as a difference that does not shrink with the distance."""
    smooth = ENTRIES[name].smooth
    near, nearer = torch.arange(-6, 6, 1e-3, dtype=torch.float64), torch.arange(-6, 6, 1e-4, dtype=torch.float64)
    jumps = []
    for derivative in (0, 1):
        steps = [float(values_and_slopes(name, x + 1e-6)[derivative].diff().abs().max()) for x in (near, nearer)]
        jumps.append(steps[1] > 0.5 * steps[0])
    assert jumps == [smooth < 0, smooth < 1]


@pytest.mark.parametrize("name", [name for name in ALL if list(make(name, 4).parameters())])
def test_every_trainable_parameter_has_a_gradient_and_a_place_in_the_state(name):
    module = make(name, 4)
    x = torch.randn(8, 4, 5, generator=torch.Generator().manual_seed(0)) * 2
    module(x).mul(torch.linspace(0.5, 1.5, 5)).sum().backward()
    for key, parameter in module.named_parameters():
        assert torch.isfinite(parameter.grad).all(), key
        assert parameter.grad.abs().max() > 0, key
    other = make(name, 4)
    for parameter in other.parameters():
        parameter.data.add_(0.5)
    other.load_state_dict(module.state_dict())
    torch.testing.assert_close(other.eval()(x), module.eval()(x))


@pytest.mark.parametrize("name", ALL)
def test_channels_are_axis_one_of_any_shape(name):
    module = make(name, 4).eval()
    for parameter in module.parameters():
        parameter.data.add_(0.1 * torch.arange(parameter.numel()).view(parameter.shape))
    flat = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    expected = module(flat)
    torch.testing.assert_close(module(flat[:, :, None])[:, :, 0], expected)
    torch.testing.assert_close(module(flat[:, :, None, None].expand(-1, -1, 2, 3))[:, :, 1, 2], expected)


@pytest.mark.parametrize(
    ("name", "values", "base"),
    [
        ("prelu", {"weight": 0.0}, torch.relu),
        ("acon_c", {}, torch.nn.functional.silu),
        ("swish", {}, torch.nn.functional.silu),
        ("mpelu", {}, torch.nn.functional.elu),
        ("pelu", {}, torch.nn.functional.elu),
        ("frelu", {}, torch.relu),
        ("splash", {}, torch.relu),
        ("tmaf", {}, torch.relu),
        ("tmaf_tridiagonal", {}, torch.relu),
        ("pwlu", {}, None),
    ],
)
def test_defaults_reduce_to_the_base_function(name, values, base):
    x = torch.linspace(-5, 5, 101, dtype=torch.float64)[:, None].repeat(1, 3)
    found = make(name, 3, **values).double()(x)
    if base is None:
        knots = torch.linspace(-3, 3, 16, dtype=torch.float64)[:, None]
        torch.testing.assert_close(make(name).double()(knots), torch.relu(knots), rtol=0, atol=1e-6)
    else:
        torch.testing.assert_close(found, base(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", CURATED)
def test_the_curated_can_be_exported_traced_and_rounded(name):
    module, x = make(name, 4).eval(), torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    expected = module(x)
    torch.testing.assert_close(torch.export.export(module, (x,)).module()(x), expected)
    half = make(name, 4).bfloat16().eval()(x.bfloat16())
    assert half.dtype == torch.bfloat16
    torch.testing.assert_close(half.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", [name for name in OWN if "stochastic" not in ENTRIES[name].flags])
def test_a_curve_keeps_one_tensor_of_the_inputs_size(name):
    kept = []
    x = torch.randn(6, 4, 30, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(lambda one: kept.append(one) or one, lambda one: one):
        make(name, 4)(x)
    assert sum(one.numel() == x.numel() for one in kept) <= 1


def test_pieces_give_what_the_whole_gives(monkeypatch):
    from automl_spaces.ops.activations import curve

    for name in ("mish", "acon_c", "pau_b", "pwlu", "tmaf", "hexpo"):
        results = []
        for piece in (1 << 20, 100):
            monkeypatch.setattr(curve, "PIECE", piece)
            module = make(name, 3)
            x = torch.randn(10, 3, 7, generator=torch.Generator().manual_seed(0)).requires_grad_()
            module(x).square().sum().backward()
            results.append([x.grad, *[one.grad for one in module.parameters()]])
        for one, other in zip(*results, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["mish", "snake", "hexpo", "pau_a", "tmaf"])
def test_second_derivatives_and_transforms_see_through_a_curve(name):
    module = network(name, 2)
    x = (torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).double() + 0.01).requires_grad_()
    assert torch.autograd.gradgradcheck(module, (x,), atol=1e-5)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda one: module(one[None])[0]))(x.detach())
    (slopes,) = torch.autograd.grad(module(x).sum(), x)
    torch.testing.assert_close(jacobian.diagonal(dim1=1, dim2=2), slopes)
    basis = torch.eye(x.numel(), dtype=torch.float64).view(-1, *x.shape)
    (batched,) = torch.autograd.grad(module(x), x, basis, is_grads_batched=True)
    torch.testing.assert_close(batched.sum(0), slopes)


def test_proxies_see_a_curve_as_one_activation():
    from automl import WatchedActivations

    seen = []
    module = make("mish")
    with WatchedActivations(lambda activation, before: seen.append(activation.name)):
        module(torch.zeros(2, 3))
    assert seen == ["mish"]
    assert isinstance(module, Pointwise)


@pytest.mark.parametrize("version", ["a", "b", "c", "d"])
def test_rational_units_are_quotients_without_poles(version):
    x = torch.linspace(-8, 8, 401, dtype=torch.float64)
    rng = np.random.default_rng(0)
    for _ in range(20):
        given = {one.name: float(rng.normal()) for one in ENTRIES[f"pau_{version}"].parameters}
        found = make(f"pau_{version}", **given).double().eval()(x)
        powers = [x**power for power in range(6)]
        below = [given.get(f"b{power}", 0.0) * powers[power] for power in range(5)]
        top = sum(given[f"a{power}"] * powers[power] for power in range(6))
        size = sum(one.abs() for one in map(torch.as_tensor, below)) if version == "a" else abs(sum(below))
        bottom = size + (0.1 if version == "c" else 1.0)
        assert float(bottom.min()) >= (0.1 if version == "c" else 1.0)
        torch.testing.assert_close(found, (top / bottom), rtol=1e-4, atol=1e-5)
    identity = {one.name: float(one.name == "a1") for one in ENTRIES[f"pau_{version}"].parameters}
    scale = 10.0 if version == "c" else 1.0
    torch.testing.assert_close(make(f"pau_{version}", **identity).double().eval()(x), x * scale)


@pytest.mark.parametrize("target", [torch.relu, torch.nn.functional.gelu, torch.tanh])
def test_a_rational_unit_learns_common_functions(target):
    from scipy.optimize import least_squares

    module, x = make("pau_b").double(), torch.linspace(-3, 3, 301, dtype=torch.float64)

    def load(vector):
        torch.nn.utils.vector_to_parameters(torch.as_tensor(vector), module.parameters())
        with torch.no_grad():
            return (module(x) - target(x)).numpy()

    start = torch.nn.utils.parameters_to_vector(module.parameters()).detach().numpy()
    assert abs(load(least_squares(load, start, max_nfev=200).x)).max() < 0.05


def test_a_matrix_activation_is_its_matrix_times_its_input():
    rng = np.random.default_rng(0)
    module = make("tmaf_tridiagonal", 5).double()
    for parameter in module.parameters():
        parameter.data = torch.as_tensor(rng.normal(size=parameter.shape))
    u = rng.normal(size=(7, 5)) * 1.5
    alpha, beta, gamma = (one.detach().numpy() for one in (module.diagonal, module.above, module.below))
    for row, found in zip(u, module(torch.as_tensor(u)).detach().numpy(), strict=True):
        place = np.searchsorted((-1.0, 0.0, 1.0), row, side="left")
        matrix = np.diag([alpha[place[i], i] for i in range(5)])
        for i in range(4):
            matrix[i, i + 1] = beta[place[i + 1], i]
            matrix[i + 1, i] = gamma[place[i], i]
        np.testing.assert_allclose(found, matrix @ row)
    module.above.data.zero_()
    module.below.data.zero_()
    diagonal = make("tmaf", 5).double()
    for place in range(4):
        getattr(diagonal, f"t{place}").data = module.diagonal.data[place]
    torch.testing.assert_close(diagonal(torch.as_tensor(u)), module(torch.as_tensor(u)))


def test_neighbours_are_the_functions_alike():
    assert activations.nearest("gelu", 3)[0] in ("gelu_tanh", "mish", "serf", "quick_gelu")
    assert "leaky_relu" in activations.nearest("relu", 8)
    assert len(set(activations.nearest("tanh", 50))) == 50
    assert "tanh" not in activations.nearest("tanh", 50)
    with pytest.raises(ConfigurationError, match="no neighbours"):
        activations.nearest("glu", 3)


def test_importing_the_registry_needs_nothing_optional():
    code = "import sys, automl_spaces.ops.activations.registry; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {re.split(r"\.", name)[0] for name in done.stdout.split()}
    assert not loaded & {"scipy", "matplotlib", "torch_activation", "timm", "mlflow", "optuna", "networkx"}
