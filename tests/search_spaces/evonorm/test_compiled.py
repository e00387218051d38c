"""Compiled layers against a plain interpreter of the definition, closed forms, PyTorch's layers and timm's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from automl_spaces.evonorm import NAMED, Expression, compile_layer, interpreter, random_expression, screen
from automl_spaces.evonorm.compiled import ExpressionLayer, NativeNorm
from automl_spaces.evonorm.fused import maximum, quotient
from automl_spaces.evonorm.moments import pixel_moments
from automl_spaces.evonorm.screening import evaluate

EPSILON = 1e-5
AXES = {"bwh": (0, 2, 3), "wh": (2, 3), "whc": (1, 2, 3)}


def images(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*(shape or (4, 6, 3, 5)), generator=generator, dtype=dtype)


def randomised(layer, seed=1):
    """Give the layer random parameters; return it in double precision."""
    generator = torch.Generator().manual_seed(seed)
    layer = layer.double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def mean(a, over, groups):
    if over in AXES:
        return a.mean(AXES[over], keepdim=True).expand_as(a)
    grouped = a.reshape(a.shape[0], groups, -1)
    return grouped.mean(2, keepdim=True).expand_as(grouped).reshape(a.shape)


def naive(expression, x, v0, v1, groups):
    """Interpret every node on full tensors, as the definition says."""
    full = {"v0": v0, "v1": v1}
    values = [x, torch.zeros_like(x), *[full[name].view(1, -1, 1, 1).expand_as(x) for name in ("v0", "v1")]]
    for node in expression.nodes:
        a, *rest = [values[operand] for operand in node.operands]
        b = rest[0] if rest else a
        near = torch.where(b.abs() < EPSILON, torch.full_like(b, EPSILON) * (1 - 2 * (b < 0).to(b)), b)
        values.append(
            {
                "ADD": lambda a=a, b=b: a + b,
                "MUL": lambda a=a, b=b: a * b,
                "DIV": lambda a=a, near=near: a / near,
                "MAX": lambda a=a, b=b: torch.maximum(a, b),
                "NEG": lambda a=a: -a,
                "SIGMOID": lambda a=a: 1 / (1 + (-a).exp()),
                "TANH": lambda a=a: torch.tanh(a),
                "EXP": lambda a=a: a.exp(),
                "LOG": lambda a=a: a.sign() * (a.abs() + EPSILON).log(),
                "ABS": lambda a=a: a.abs(),
                "SQUARE": lambda a=a: a**2,
                "SQRT": lambda a=a: a.sign() * (a.abs() + EPSILON).sqrt(),
                "MEAN": lambda a=a, node=node: mean(a, node.over, groups),
                "RMS": lambda a=a, node=node: (mean(a * a, node.over, groups) + EPSILON).sqrt(),
                "STD": lambda a=a, node=node: (
                    mean((a - mean(a, node.over, groups)) ** 2, node.over, groups) + EPSILON
                ).sqrt(),
            }[node.operation]()
        )
    return values[-1]


def closed(name, x, layer, moments=None):
    """Return the published formula, with γ and β; ``moments`` replaces mean and variance over the batch."""
    shape = (1, -1, 1, 1)
    axes = (0, 2, 3)
    mu, var = moments or (x.mean(axes, keepdim=True), x.var(axes, correction=0, keepdim=True))
    batch = (var + EPSILON).sqrt()
    instance = (x.var((2, 3), correction=0, keepdim=True) + EPSILON).sqrt()
    if name == "bn_relu":
        return torch.relu((x - mu) / batch * layer.v1.view(shape) + layer.v0.view(shape))
    if name == "evonorm_b0":
        return x / torch.maximum(batch, layer.v1.view(shape) * x + instance)
    if name == "evonorm_s0":
        grouped = x.reshape(x.shape[0], layer.groups, -1)
        spread = (grouped.var(2, correction=0, keepdim=True) + EPSILON).sqrt()
        return (x * torch.sigmoid(layer.v1.view(shape) * x)).reshape(grouped.shape).div(spread).reshape(x.shape)
    raise ValueError(name)


def affine(layer, value):
    return value * layer.weight.view(1, -1, 1, 1) + layer.bias.view(1, -1, 1, 1)


@pytest.mark.parametrize("series", ["B", "S"])
def test_random_layers_equal_the_plain_interpreter_with_gradients(series):
    rng, checked = np.random.default_rng(0), 0
    for _ in range(250):
        expression = random_expression(rng, series=series)
        if screen(expression).reason is not None:
            continue
        layer = randomised(ExpressionLayer(expression, 6, groups=3))
        x = images().requires_grad_()
        zeros = torch.zeros(6, dtype=torch.float64)
        v0, v1 = (zeros if one is None else one for one in (layer.v0, layer.v1))
        expected = affine(layer, naive(expression, x, v0, v1, 3))
        if not expected.abs().max() < 1e6:
            continue
        weights = images(seed=2)
        wanted = torch.autograd.grad((expected * weights).sum(), x)[0]
        found = layer(x)
        got = torch.autograd.grad((found * weights).sum(), x)[0]
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-8, msg=str(expression))
        if wanted.abs().max() < 1e6 and "SQRT" not in str(expression) and "LOG" not in str(expression):
            torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-6)
        checked += 1
    assert checked > 50


def test_random_layers_equal_the_screened_functions():
    rng, checked = np.random.default_rng(1), 0
    x = images(2, 4, 8, 3, 3)
    v0, v1 = images(8, seed=3), images(8, seed=4)
    initial = (x.numpy(), np.zeros((1,) * 5), *[v.numpy().reshape(1, 1, 8, 1, 1) for v in (v0, v1)])
    for _ in range(200):
        expression = random_expression(rng)
        if screen(expression).reason is not None:
            continue
        layer = ExpressionLayer(expression, 8, groups=4, affine=False).double()
        with torch.no_grad():
            for mine, value in ((layer.v0, v0), (layer.v1, v1)):
                if mine is not None:
                    mine.copy_(value)
            expected = torch.from_numpy(np.broadcast_to(evaluate(expression, initial), x.shape).copy())
            if expected.abs().max() < 1e6:
                torch.testing.assert_close(torch.stack([layer(one) for one in x]), expected, rtol=1e-7, atol=1e-7)
                checked += 1
    assert checked > 30


@pytest.mark.parametrize("name", ["bn_relu", "evonorm_b0", "evonorm_s0"])
def test_layers_equal_their_closed_forms_in_training_and_evaluation(name):
    layer = randomised(ExpressionLayer(NAMED[name], 8, groups=4))
    x = images(4, 8, 5, 5).requires_grad_()
    leaves = [x, *layer.parameters()]
    weights = images(4, 8, 5, 5, seed=2)
    expected = affine(layer, closed(name, x, layer))
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-10)
    wanted = torch.autograd.grad((expected * weights).sum(), leaves)
    for got, want in zip(torch.autograd.grad((layer(x) * weights).sum(), leaves), wanted, strict=True):
        torch.testing.assert_close(got, want, rtol=0, atol=1e-10)

    layer = randomised(ExpressionLayer(NAMED[name], 8, groups=4))
    reference = nn.BatchNorm2d(8).double()
    for seed in range(3):
        layer(images(4, 8, 5, 5, seed=seed) + 1)
        reference(images(4, 8, 5, 5, seed=seed) + 1)
    layer.eval()
    moments = [one.view(1, -1, 1, 1) for one in (reference.running_mean, reference.running_var)]
    torch.testing.assert_close(layer(x), affine(layer, closed(name, x, layer, moments)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["bn_relu", "evonorm_b0", "evonorm_s0"])
def test_layers_equal_their_closed_forms_in_single_precision(name):
    layer = ExpressionLayer(NAMED[name], 64)
    x = images(8, 64, 8, 8, dtype=torch.float32)
    assert (layer(x) - closed(name, x, layer)).abs().max() < 1e-6 * 5


@pytest.mark.parametrize("activation", ["relu", "silu"])
@pytest.mark.parametrize("over", ["bn", "gn", "ln", "in"])
@pytest.mark.parametrize("is_native", [True, False])
def test_normalisations_equal_those_of_torch(over, activation, is_native):
    reference = {
        "bn": nn.BatchNorm2d(8),
        "gn": nn.GroupNorm(4, 8),
        "ln": nn.GroupNorm(1, 8),
        "in": nn.InstanceNorm2d(8, affine=True),
    }[over]
    reference, act = randomised(reference, 3), {"relu": torch.relu, "silu": nn.functional.silu}[activation]
    expression = NAMED[f"{over}_{activation}"]
    layer = (compile_layer if is_native else ExpressionLayer)(expression, 8, groups=4)
    assert isinstance(layer, NativeNorm if is_native else ExpressionLayer)
    layer = layer.double()
    names = ("weight", "bias") if is_native else ("v1", "v0")
    with torch.no_grad():
        for name, value in zip(names, (reference.weight, reference.bias), strict=True):
            getattr(layer, name).copy_(value)
    for seed in range(2):
        x = images(4, 8, 5, 5, seed=seed) * 2 + 1
        torch.testing.assert_close(layer(x), act(reference(x)), rtol=1e-10, atol=1e-10)
    layer.eval(), reference.eval()
    torch.testing.assert_close(layer(x), act(reference(x)), rtol=1e-10, atol=1e-10)


def test_native_batch_normalisation_loads_the_state_of_torchs():
    reference = nn.BatchNorm2d(8)
    reference(images(4, 8, 5, 5, dtype=torch.float32))
    layer = compile_layer(NAMED["bn_relu"], 8)
    assert list(layer.state_dict()) == list(reference.state_dict())
    layer.load_state_dict(reference.state_dict())
    x = images(4, 8, 5, 5, seed=1, dtype=torch.float32)
    assert torch.equal(layer.eval()(x), torch.relu(reference.eval()(x)))


def test_filter_response_normalisation_equals_its_definition():
    layer = randomised(ExpressionLayer(NAMED["frn"], 6, affine=False))
    x = images()
    nu = (x * x).mean((2, 3), keepdim=True)
    expected = x / (nu + EPSILON).sqrt() * layer.v1.view(1, -1, 1, 1) + layer.v0.view(1, -1, 1, 1)
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("name", ["B0", "B1", "B2", "S0", "S1", "S2"])
def test_published_layers_equal_timms(name):
    evo_norm = pytest.importorskip("timm.layers.evo_norm", exc_type=ImportError)
    options = {"groups": 4} if name.startswith("S") else {}
    theirs = getattr(evo_norm, f"EvoNorm2d{name}")(8, eps=EPSILON, **options).double()
    ours = ExpressionLayer(NAMED[f"evonorm_{name.lower()}"], 8, groups=4).double()
    for seed in range(2):
        x = images(4, 8, 5, 5, seed=seed) * 2 + 1
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)
    ours.eval(), theirs.eval()
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-6, atol=1e-6)


def test_series_s_does_not_see_other_samples_and_b0_does():
    x = images(4, 8, 5, 5, dtype=torch.float32)
    other = torch.cat([x[:1], images(3, 8, 5, 5, seed=9, dtype=torch.float32)])
    names = [name for name in NAMED if not name.startswith(("bn", "evonorm_b"))]
    rng = np.random.default_rng(2)
    expressions = [*[NAMED[name] for name in names], *[random_expression(rng, series="S") for _ in range(50)]]
    for expression in expressions:
        layer = compile_layer(expression, 8, groups=4)
        one, two = layer(x)[0], layer(other)[0]
        assert torch.equal(one.nan_to_num(7.0), two.nan_to_num(7.0)), expression.formula()
    layer = compile_layer(NAMED["evonorm_b0"], 8)
    assert not torch.equal(layer(x)[0], layer(other)[0])


@pytest.mark.parametrize("name", list(NAMED))
def test_permuting_examples_pixels_and_channels_permutes_the_output(name):
    layer = randomised(compile_layer(NAMED[name], 8, groups=4, affine=True))
    x = images(4, 8, 3, 5)
    generator = torch.Generator().manual_seed(0)
    batch, pixels = (torch.randperm(size, generator=generator) for size in (4, 15))
    shuffled = layer(x[batch].flatten(2)[..., pixels].unflatten(2, (3, 5)))
    torch.testing.assert_close(shuffled, layer(x)[batch].flatten(2)[..., pixels].unflatten(2, (3, 5)))
    # Two channels of one group change places; any two where there are no groups.
    channels = torch.tensor([1, 0, 2, 3, 5, 4, 6, 7]) if "whc/g" in str(NAMED[name]) else torch.arange(8).flip(0)
    expected = layer(x)[:, channels]
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(parameter[channels].clone())
    torch.testing.assert_close(layer(x[:, channels]), expected)


def invariance(name, scale, shift):
    """Return the largest change of the output when the input is ``x * scale + shift``."""
    layer = ExpressionLayer(NAMED[name], 8, groups=4, epsilon=1e-12).double()
    x = images(4, 8, 6, 6)
    return float((layer(x * scale + shift) - layer(x)).detach().abs().max())


def test_layers_are_invariant_as_their_moments_say():
    per_channel = [images(8, seed=seed).view(1, 8, 1, 1) for seed in (5, 6)]
    per_channel[0] = per_channel[0].abs() + 0.5
    assert all(invariance(f"{name}_relu", *per_channel) < 1e-6 for name in ("bn", "in"))
    assert all(invariance(f"{name}_relu", 3.0, 2.0) < 1e-6 for name in ("bn", "in", "gn", "ln"))
    assert all(invariance(f"{name}_relu", *per_channel) > 1e-2 for name in ("gn", "ln"))
    assert all(invariance(name, 3.0, 0.0) < 1e-6 for name in ("evonorm_b0", "evonorm_b2", "frn"))
    assert all(invariance(name, 3.0, 0.0) > 1e-2 for name in ("evonorm_b1", "evonorm_s0"))


UNARY = ("NEG", "SIGMOID", "TANH", "EXP", "LOG", "ABS", "SQUARE", "SQRT")
AGGREGATED = [f"{kind}{{{over}}}" for kind in ("MEAN", "RMS", "STD") for over in ("bwh", "wh", "whc", "whc/g")]


@pytest.mark.parametrize("text", [*(f"{kind} 0" for kind in UNARY), *(f"{kind} 0; MUL 0 4" for kind in AGGREGATED)])
def test_gradients_of_unary_primitives_are_right(text):
    layer = ExpressionLayer(Expression.parse(text), 4, groups=2, affine=False).double()
    x = images(2, 4, 2, 3)
    x = torch.where(x.abs() < 0.1, 0.5, x).requires_grad_()
    assert gradcheck(layer, (x,))
    assert gradgradcheck(layer, (x,))


@pytest.mark.parametrize("kind", ["ADD", "MUL", "DIV", "MAX"])
def test_gradients_of_binary_primitives_are_right(kind):
    x = images(2, 4, 2, 3)
    x = torch.where(x.abs() < 0.1, 0.5, x).requires_grad_()
    for text in (
        f"TANH 0; {kind} 0 4",
        f"TANH 0; {kind} 4 0",
        f"{kind} 0 3",
        f"{kind} 3 0",
        f"STD{{wh}} 0; {kind} 4 3",
    ):
        layer = ExpressionLayer(Expression.parse(text), 4, groups=2).double()
        assert gradcheck(layer, (x,)), text
        assert gradgradcheck(layer, (x,)), text


def test_gradients_of_fused_operations_reach_broadcast_operands():
    full, small = images(2, 3, 2, 2).requires_grad_(), images(1, 3, 1, 1, seed=1).requires_grad_()
    for function in (maximum, quotient):
        for operands in ((full, small), (small, full), (full, images(2, 3, 2, 2, seed=2).requires_grad_())):
            assert gradcheck(function, operands)
            assert gradgradcheck(function, operands)
    assert gradcheck(pixel_moments, (full,))
    assert gradgradcheck(pixel_moments, (full,))


@pytest.mark.parametrize("text", ["LOG 0", "SQRT 0", "DIV 3 0", "DIV 0 0", "STD{wh} 0; MUL 4 0", "STD{bwh} 0; DIV 0 4"])
def test_gradients_at_zero_and_at_constants_are_finite(text):
    layer = ExpressionLayer(Expression.parse(text), 4)
    for x in (torch.zeros(2, 4, 3, 3), torch.full((2, 4, 3, 3), 2.0)):
        x.requires_grad_()
        output = layer(x)
        output.square().sum().backward()
        assert output.isfinite().all()
        assert x.grad.isfinite().all()


def test_variances_of_large_means_do_not_cancel():
    x = images(4, 8, 16, 16, dtype=torch.float32)
    layer = ExpressionLayer(Expression.parse("STD{bwh} 0; DIV 3 4"), 8)
    assert (layer(x + 1000) - layer(x)).abs().max() < 1e-3


def test_all_moments_of_a_tensor_come_from_one_pass(monkeypatch):
    calls = []

    def counted(tensor):
        calls.append(tensor.shape)
        return pixel_moments(tensor)

    monkeypatch.setattr(interpreter, "pixel_moments", counted)
    compile_layer(NAMED["evonorm_b0"], 8)(images(2, 8, 4, 4, dtype=torch.float32))
    assert len(calls) == 1
    text = "MEAN{wh} 0; ADD 0 4; STD{bwh} 5; RMS{whc/g} 5; DIV 5 6; DIV 8 7"
    compile_layer(Expression.parse(text), 8)(images(2, 8, 4, 4, dtype=torch.float32))
    assert len(calls) == 2


def test_unread_parts_have_no_parameters_buffers_or_steps():
    layer = compile_layer(Expression.parse("STD{bwh} 0; MUL 2 3; TANH 0; TANH 0; ADD 6 7"), 8)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert list(layer.buffers()) == []
    assert len(layer.expression.nodes) == 2


def test_affine_map_follows_unless_the_native_layer_has_one():
    names = {text: [name for name, _ in compile_layer(Expression.parse(text), 4).named_parameters()] for text in TEXTS}
    assert list(names.values()) == [["affine.weight", "affine.bias"], ["weight", "affine.weight", "affine.bias"]]
    assert [name for name, _ in compile_layer(NAMED["in_relu"], 4).named_parameters()] == ["weight", "bias"]
    assert len(list(compile_layer(NAMED["in_relu"], 4, affine=True).parameters())) == 4
    assert list(compile_layer(Expression.parse("TANH 0"), 4, affine=False).parameters()) == []


TEXTS = (
    "MEAN{wh} 0; NEG 4; ADD 0 5; STD{wh} 0; DIV 6 7",
    "MEAN{wh} 0; NEG 4; ADD 0 5; STD{wh} 0; DIV 6 7; MUL 3 8; MAX 9 1",
)


@pytest.mark.parametrize("name", ["bn_relu", "gn_silu", "evonorm_b0", "evonorm_s0"])
@pytest.mark.parametrize("shape", [(8, 6), (8, 6, 5), (8, 6, 3, 4)])
def test_layers_take_vectors_sequences_and_images(name, shape):
    layer = compile_layer(NAMED[name], 6, groups=4)
    x = images(*shape, dtype=torch.float32)
    assert layer(x).shape == shape
    if len(shape) == 3:
        assert torch.allclose(layer(x), layer(x[..., None])[..., 0], atol=1e-6)


def test_inputs_of_another_width_are_refused():
    with pytest.raises(ValueError, match="8 channels"):
        compile_layer(NAMED["evonorm_s0"], 8)(torch.zeros(2, 6, 3, 3))


def test_groups_are_lowered_until_they_divide_the_channels():
    assert [compile_layer(NAMED["evonorm_s0"], channels).groups for channels in (64, 48, 20, 7)] == [32, 24, 20, 7]
    assert compile_layer(NAMED["gn_relu"], 33).groups == 11


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_computes_moments_in_single(dtype):
    layer = compile_layer(NAMED["evonorm_s0"], 8, groups=4)
    x = images(2, 8, 16, 16, dtype=torch.float32) * 100 + 300
    output = layer(x.to(dtype))
    assert output.dtype == dtype
    torch.testing.assert_close(output.float(), layer(x.to(dtype).float()), rtol=1e-2, atol=1e-2)


def test_layers_run_under_vmap_and_autocast():
    layer = compile_layer(NAMED["evonorm_b2"], 8).eval()
    x = images(3, 2, 8, 4, 4, dtype=torch.float32)
    torch.testing.assert_close(torch.func.vmap(layer)(x), torch.stack([layer(one) for one in x]))
    network = nn.Sequential(nn.Conv2d(8, 8, 3), compile_layer(NAMED["evonorm_b0"], 8))
    with torch.autocast("cpu", torch.bfloat16):
        output = network(x[0])
    output.float().sum().backward()
    assert output.isfinite().all()
    assert {buffer.dtype for buffer in network[1].buffers()} == {torch.float32}
