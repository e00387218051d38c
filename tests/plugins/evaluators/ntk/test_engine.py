"""The kernel against the product of Jacobians that autograd finds, example by example, in double precision."""

import copy
import math
from contextlib import nullcontext

import pytest
import torch
from kernel_networks import EXAMPLES, LAYERS, OTHERS, Pooled, images, made, noise, tokens
from torch import Tensor, nn

from automl import Unmeasurable
from automl_plugins.evaluators._ntk import Spectrum, empirical_ntk, layerwise
from automl_plugins.evaluators._ntk.networks import batch_statistics


def with_fixed_statistics(network, batch):
    """Return the network with the mean and biased variance of every layer's input, written down independently."""
    network = copy.deepcopy(network).eval()
    norms = [module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    for module in norms:
        module.train()
        module.momentum = 1.0
        module.track_running_stats = True
        module.running_mean = torch.zeros(module.num_features, dtype=torch.float64)
        module.running_var = torch.ones(module.num_features, dtype=torch.float64)
        module.num_batches_tracked = torch.tensor(0)
        module.register_forward_pre_hook(_remember_count)
    network(batch)
    for module in norms:
        module.running_var *= (module.count - 1) / module.count
    return network.eval()


def _remember_count(module, args):
    module.count = args[0].numel() / args[0].shape[1]


def jacobian(network, batch, *, coupled=False):
    """Return the derivatives of outputs by parameters, `(examples, outputs, parameters)`, one backward pass each."""
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]

    def rows(outputs):
        flat = outputs.flatten()
        found = []
        for value in flat:
            gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
            pairs = zip(gradients, parameters, strict=True)
            found.append(torch.cat([(torch.zeros_like(p) if g is None else g).flatten() for g, p in pairs]))
        return torch.stack(found)

    if coupled:
        outputs = network(batch)
        return torch.stack([rows(outputs[n]) for n in range(len(batch))])
    return torch.stack([rows(network(batch[n : n + 1])) for n in range(len(batch))])


def expected(network, batch):
    rows = jacobian(with_fixed_statistics(network, batch), batch)
    return torch.einsum("ncp,mdp->ncmd", rows, rows)


def assert_close(found, wanted):
    assert found.dtype is torch.float64
    assert float((found - wanted).abs().max()) <= 1e-10 * float(wanted.abs().max())


@pytest.mark.parametrize("name", LAYERS)
def test_every_layer_gives_the_product_of_jacobians(name):
    network, batch = LAYERS[name]()
    wanted = expected(network, batch)
    found = empirical_ntk(network, batch)
    assert found.method == "layerwise"
    assert_close(found.matrix, wanted.sum((1, 3)))
    assert_close(empirical_ntk(network, batch, reduction="full", method="layerwise").matrix, wanted)


@pytest.mark.parametrize("name", [name for name in OTHERS if name != "repeated batch norm"])
def test_what_cannot_go_layer_by_layer_goes_another_way(name):
    network, batch = OTHERS[name]()
    wanted = expected(network, batch)
    found = empirical_ntk(network, batch)
    assert found.method in ("vmap", "loop")
    assert_close(found.matrix, wanted.sum((1, 3)))
    with pytest.raises(Unmeasurable, match="unsupported"):
        empirical_ntk(network, batch, method="layerwise")


@pytest.mark.parametrize("method", ["layerwise", "vmap", "loop"])
@pytest.mark.parametrize("name", ["linear", "batch norm", "embedding", "conv2d, grouped"])
def test_every_method_gives_every_reduction(name, method):
    network, batch = LAYERS[name]()
    wanted = expected(network, batch)
    single = wanted.sum((1, 3))
    reductions = {
        "full": wanted,
        "sum_logits": single,
        "trace": torch.einsum("ncmc->nm", wanted) / wanted.shape[1],
        "diagonal": single.diagonal(),
    }
    for reduction, matrix in reductions.items():
        found = empirical_ntk(network, batch, reduction=reduction, method=method)
        assert (found.method, found.reduction) == (method, reduction)
        assert_close(found.matrix, matrix)
    assert_close(empirical_ntk(network, batch, output=1, method=method).matrix, wanted[:, 1, :, 1])


@pytest.mark.parametrize("name", ["batch norm", "many uses", "conv2d, grouped", "linear", "embedding"])
def test_layers_in_groups_give_the_same_full_kernel(name, monkeypatch):
    network, batch = LAYERS[name]()
    at_once = empirical_ntk(network, batch, reduction="full")
    monkeypatch.setattr(layerwise, "_KEPT", 0)
    parts = []
    one_part = layerwise._gradients
    monkeypatch.setattr(layerwise, "_gradients", lambda *args, **kwargs: parts.append(0) or one_part(*args, **kwargs))
    in_groups = empirical_ntk(network, batch, reduction="full", method="layerwise")
    assert len(parts) > at_once.passes
    assert in_groups.passes == at_once.passes, "the passes of later groups go on where those of the first stopped"
    assert_close(in_groups.matrix, expected(network, batch))


class Branches(nn.Module):
    """Two ways from the input to the outputs that have nothing in common."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
        self.other = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))

    def forward(self, x):
        return torch.cat([self.one(x)[:, :2], self.other(x)], 1)


def test_layers_on_two_ways_through_the_network_may_be_in_groups(monkeypatch):
    torch.manual_seed(0)
    network, batch = Branches().double(), torch.randn(4, 5).double()
    monkeypatch.setattr(layerwise, "_KEPT", 0)
    in_groups = empirical_ntk(network, batch, reduction="full", method="layerwise")
    assert_close(in_groups.matrix, expected(network, batch))


def test_repeated_batch_norm_has_the_mean_of_its_statistics():
    network, batch = OTHERS["repeated batch norm"]()
    fixed = copy.deepcopy(network).eval()
    hidden = torch.tanh(nn.functional.batch_norm(batch, None, None, network.norm.weight, network.norm.bias, True))
    hidden = network.body[0](hidden)
    fixed.norm.running_mean = ((batch.mean(0) + hidden.mean(0)) / 2).detach()
    fixed.norm.running_var = ((batch.var(0, correction=0) + hidden.var(0, correction=0)) / 2).detach()
    rows = jacobian(fixed, batch).sum(1)
    found = empirical_ntk(network, batch)
    assert found.method in ("vmap", "loop")
    assert_close(found.matrix, rows @ rows.T)


def test_batch_statistics_are_differentiated_through_the_whole_batch():
    network, batch = LAYERS["batch norm"]()
    training = copy.deepcopy(network).eval()
    with batch_statistics(training):
        rows = jacobian(training, batch, coupled=True)
    found = empirical_ntk(network, batch, bn_mode="batch")
    assert (found.method, found.bn_mode) == ("loop", "batch")
    assert_close(found.matrix, rows.sum(1) @ rows.sum(1).T)
    full = empirical_ntk(network, batch, bn_mode="batch", reduction="full").matrix
    assert_close(full, torch.einsum("ncp,mdp->ncmd", rows, rows))
    with pytest.raises(Unmeasurable, match="coupled"):
        empirical_ntk(network, batch, bn_mode="batch", method="vmap")


def test_batch_statistics_without_batch_norm_are_no_reason_to_loop():
    network, batch = LAYERS["group norm"]()
    found = empirical_ntk(network, batch, bn_mode="batch")
    assert found.method == "layerwise"
    assert torch.equal(found.matrix, empirical_ntk(network, batch).matrix)


def test_weights_alone_are_those_by_name():
    network, batch = LAYERS["batch norm"]()
    rows = jacobian(with_fixed_statistics(network, batch), batch).sum(1)
    is_weight = torch.cat([torch.full((p.numel(),), "weight" in name) for name, p in network.named_parameters()])
    rows = rows[:, is_weight]
    for method in ("layerwise", "vmap", "loop"):
        assert_close(empirical_ntk(network, batch, parameters="weights", method=method).matrix, rows @ rows.T)


@pytest.mark.parametrize("method", ["layerwise", "vmap", "loop"])
def test_kernels_of_disjoint_parameters_add_up(method):
    network, batch = LAYERS["batch norm"]()
    first, second = copy.deepcopy(network), copy.deepcopy(network)
    for index, (one, other) in enumerate(zip(first.parameters(), second.parameters(), strict=True)):
        (one if index % 3 else other).requires_grad_(False)
    parts = [empirical_ntk(part, batch, method=method).matrix for part in (first, second)]
    assert_close(parts[0] + parts[1], empirical_ntk(network, batch, method=method).matrix)


@pytest.mark.parametrize("name", ["batch norm", "lstm"])
def test_the_kernel_is_symmetric_and_has_no_negative_eigenvalue(name):
    network, batch = (LAYERS | OTHERS)[name]()
    matrix = empirical_ntk(network, batch).matrix
    values = torch.linalg.eigvalsh(matrix)
    assert torch.equal(matrix, matrix.T)
    assert values[0] >= -1e-10 * values[-1]


@pytest.mark.parametrize("name", ["batch norm", "transformer"])
def test_examples_in_another_order_give_rows_in_that_order(name):
    network, batch = (LAYERS | OTHERS)[name]()
    order = torch.tensor([3, 1, 4, 0, 2])
    assert_close(empirical_ntk(network, batch[order]).matrix, empirical_ntk(network, batch).matrix[order][:, order])


def test_scaled_outputs_scale_the_kernel_by_the_square():
    network, batch = LAYERS["batch norm"]()
    scaled = empirical_ntk(network, batch, outputs=lambda returned: returned * 3).matrix
    assert_close(scaled, 9 * empirical_ntk(network, batch).matrix)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_duplicated_example_is_ill_conditioned(dtype):
    network, batch = LAYERS["batch norm"]()
    batch = batch.clone()
    batch[3] = batch[1]
    spectrum = Spectrum.of(empirical_ntk(network.to(dtype), batch.to(dtype)))
    with pytest.raises(Unmeasurable, match="ill_conditioned"):
        spectrum.condition()
    assert Spectrum.of(empirical_ntk(network, images().to(dtype))).condition() > 1


def test_fixed_statistics_decouple_examples_and_those_of_the_batch_do_not():
    network, batch = LAYERS["batch norm"]()
    # An example more, whose batch statistics are those that there were: the same examples once more.
    doubled = torch.cat([batch, batch.flip(0)])
    whole = empirical_ntk(network, doubled).matrix
    assert_close(whole[:EXAMPLES, :EXAMPLES], empirical_ntk(network, batch).matrix)
    fixed, coupled = (empirical_ntk(network, batch, bn_mode=mode).matrix for mode in ("frozen", "batch"))
    assert float((coupled - fixed).abs().max()) > 1e-2 * float(fixed.abs().max())


@pytest.mark.parametrize("method", ["auto", "vmap", "loop"])
def test_tuples_mappings_and_arguments_are_understood(method):
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 3)

        def forward(self, inputs, shift=None):
            return tokens(2), {"hidden": inputs, "logits": self.body(inputs + shift)}

    network, batch, shift = made(Pair()), noise(EXAMPLES, 4), noise(EXAMPLES, 4, seed=2)
    wanted = 3 * ((batch + shift) @ (batch + shift).T + 1)
    assert_close(empirical_ntk(network, (batch, shift), method=method).matrix, wanted)
    assert_close(empirical_ntk(network, {"inputs": batch, "shift": shift}, method=method).matrix, wanted)
    hidden = empirical_ntk(network, (batch, shift), outputs=lambda found: found[1]["hidden"], method=method)
    assert not hidden.matrix.any()


def test_a_network_without_parameters_has_no_kernel():
    with pytest.raises(Unmeasurable, match="undefined: the network has no trainable parameter"):
        empirical_ntk(nn.BatchNorm1d(4, affine=False), noise(EXAMPLES, 4).float())
    with pytest.raises(Unmeasurable, match="undefined"):
        empirical_ntk(nn.Linear(4, 2).requires_grad_(False), noise(EXAMPLES, 4).float())


def test_outputs_without_a_row_for_each_example_are_refused():
    with pytest.raises(Unmeasurable, match="one row for each of 5 examples"):
        empirical_ntk(nn.Linear(4, 2), noise(EXAMPLES, 4).float(), outputs=lambda found: found.sum(0))


def test_one_output_must_exist_and_suit_the_reduction():
    with pytest.raises(ValueError, match="0 to 1, but got 2"):
        empirical_ntk(nn.Linear(4, 2), noise(EXAMPLES, 4).float(), output=2)
    with pytest.raises(ValueError, match="leave one"):
        empirical_ntk(nn.Linear(4, 2), noise(EXAMPLES, 4).float(), output=0, reduction="full")


class Failing(nn.Module):
    """Has all that could be changed by mistake; raises at the end if told to."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Dropout(0.5), Pooled()
        )
        self.head = nn.Linear(4, 2)
        self.fails = False
        self.computed = self.head.weight * 2
        self.seen = []

    def forward(self, inputs):
        self.seen.append(len(inputs))
        torch.rand(3)
        outputs = self.head(self.body(inputs))
        if self.fails:
            raise KeyError("this network always raises")
        return outputs


def state_of(network, batch):
    return {
        "parameters": [(p.detach().clone(), p.requires_grad, p.grad.clone(), id(p)) for p in network.parameters()],
        "buffers": [buffer.clone() for buffer in network.buffers()],
        "modes": [module.training for module in network.modules()],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m)) for m in network.modules()],
        "seen": list(network.seen),
        "random": torch.get_rng_state(),
        "batch": (batch.clone(), batch.requires_grad, batch.grad),
    }


def is_equal(first, second):
    if isinstance(first, Tensor):
        return torch.equal(first, second)
    if isinstance(first, dict | list | tuple):
        pairs = (
            zip(first.values(), second.values(), strict=True)
            if isinstance(first, dict)
            else zip(first, second, strict=True)
        )
        return all(is_equal(one, other) for one, other in pairs)
    return first == second


@pytest.mark.parametrize("fails", [False, True], ids=["works", "raises"])
@pytest.mark.parametrize("method", ["layerwise", "vmap", "loop", "auto"])
@pytest.mark.parametrize("bn_mode", ["frozen", "batch"])
def test_nothing_of_the_caller_is_changed(method, bn_mode, fails):
    network, batch = Failing(), images().float().requires_grad_(True)
    network(batch).sum().backward()
    batch.grad = None
    network.head.bias.requires_grad_(False)
    network.fails = fails
    before = state_of(network, batch)
    is_refused = bn_mode == "batch" and method in ("layerwise", "vmap")
    with pytest.raises((KeyError, Unmeasurable)) if fails or is_refused else nullcontext():
        empirical_ntk(network, batch, method=method, bn_mode=bn_mode)
    assert is_equal(state_of(network, batch), before)


def test_the_same_call_gives_the_same_bits():
    network, batch = LAYERS["batch norm"]()
    first = empirical_ntk(network, batch).matrix
    torch.rand(2)
    assert torch.equal(empirical_ntk(network, batch).matrix, first)


def test_a_caller_without_gradients_gets_the_kernel_too():
    network, batch = LAYERS["conv2d"]()
    with torch.no_grad():
        found = empirical_ntk(network, batch).matrix
    assert torch.equal(found, empirical_ntk(network, batch).matrix)


def test_single_precision_agrees_with_double():
    network, batch = LAYERS["batch norm"]()
    wanted = empirical_ntk(network, batch).matrix
    found = empirical_ntk(copy.deepcopy(network).float(), batch.float()).matrix
    assert float((found - wanted).abs().max()) < 1e-4 * float(wanted.abs().max())


def test_large_full_kernels_keep_single_precision_accuracy():
    network, batch = made(nn.Linear(4, 40), nn.Tanh(), nn.Linear(40, 40)), noise(EXAMPLES, 4)
    wanted = empirical_ntk(network, batch, reduction="full").matrix
    found = empirical_ntk(network.float(), batch.float(), reduction="full").matrix
    assert float((found - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())
    assert torch.equal(found, found.permute(2, 3, 0, 1))


class Wide(nn.Module):
    """m^{-1/2} Σ_k a_k relu(w_k · x) with standard normal a and w."""

    def __init__(self, width, inputs, seed):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first, self.last = nn.Linear(inputs, width, bias=False).double(), nn.Linear(width, 1, bias=False).double()
        with torch.no_grad():
            self.first.weight.copy_(torch.randn(width, inputs, generator=generator, dtype=torch.float64))
            self.last.weight.copy_(torch.randn(1, width, generator=generator, dtype=torch.float64))

    def forward(self, inputs):
        return self.last(torch.relu(self.first(inputs))) / math.sqrt(self.last.in_features)


def infinitely_wide(batch):
    lengths = batch.norm(dim=1)
    both = torch.outer(lengths, lengths)
    cosine = (batch @ batch.T / both).clamp(-1, 1)
    angle = torch.acos(cosine)
    return both * (angle.sin() + (math.pi - angle) * cosine) / (2 * math.pi) + both * cosine * (math.pi - angle) / (
        2 * math.pi
    )


def deviation(width, seeds=6):
    batch = noise(8, 5)
    limit = infinitely_wide(batch)
    errors = [empirical_ntk(Wide(width, 5, seed), batch).matrix - limit for seed in range(seeds)]
    return [float(error.norm() / limit.norm()) for error in errors]


@pytest.mark.parametrize("widths", [(256, 1024, 4096), pytest.param((1024, 4096, 16384), marks=pytest.mark.slow)])
def test_wide_networks_approach_the_infinitely_wide_one(widths):
    means = []
    for width in widths:
        errors = deviation(width)
        assert max(errors) < 5 / math.sqrt(width)
        means.append(sum(errors) / len(errors))
    assert means == sorted(means, reverse=True)


@pytest.mark.parametrize("method", ["layerwise", "vmap", "loop"])
def test_the_kernel_of_two_batches_holds_those_of_each_and_that_between(method):
    network = made(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    first, second = noise(3, 4), noise(2, 4, seed=1)
    whole = empirical_ntk(network, torch.cat([first, second]), method=method).matrix
    rows = [
        torch.autograd.grad(network(example).sum(), list(network.parameters()))
        for example in torch.cat([first, second])
    ]
    jacobian = torch.stack([torch.cat([gradient.flatten() for gradient in row]) for row in rows])
    assert_close(whole[:3, :3], empirical_ntk(network, first, method=method).matrix)
    assert_close(whole[3:, 3:], empirical_ntk(network, second, method=method).matrix)
    assert_close(whole[:3, 3:], jacobian[:3] @ jacobian[3:].T)
