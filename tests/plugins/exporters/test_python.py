"""The written source computes what the network does, is readable, and needs torch alone."""

import ast
import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from automl.models.shaped import ShapedTask
from automl.options import parse_options
from automl.plugins import registry
from automl_plugins.exporters._program import exported_program
from automl_plugins.exporters._python.constructors import constructor
from automl_plugins.exporters._python.layout import Group, lay_out
from automl_plugins.exporters._python.names import Names, class_name
from automl_plugins.exporters._python.source import source_of

SHAPE = (1, 8, 8)
OPTIONS = {"evonorm": ({"backbone": "mobilenet"}, {"backbone": "efficientnet"}, {"backbone": "resnet"})}


def written(network, shape, folder):
    """Write a network as source and weights; return the loaded one and the text."""
    from safetensors.torch import save

    example = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    head = ["A network.", "Architecture: a very long line " + "of many words " * 12, "Inputs: any."]
    text, tensors = source_of(exported_program(network, example), network, head, "weights.safetensors")
    (folder / "weights.safetensors").write_bytes(save({name: tensor.clone() for name, tensor in tensors.items()}))
    (folder / "written.py").write_text(text)
    spec = importlib.util.spec_from_file_location("written", folder / "written.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(), text


def assert_same(network, found, shape):
    for batch in (1, 2, 7):
        inputs = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))
        with torch.inference_mode():
            wanted = network(inputs.clone())
            assert torch.allclose(found(inputs.clone()), wanted, rtol=1e-5, atol=1e-5 * float(wanted.abs().max()))


def assert_formatted(path):
    pytest.importorskip("ruff")
    ruff = (sys.executable, "-m", "ruff")
    for width in ("88", "120"):
        done = subprocess.run(
            [*ruff, "format", "--isolated", "--check", "--diff", "--line-length", width, str(path)],
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [*ruff, "check", "--isolated", "--select", "E,F,I,N,W,D1", str(path), "--ignore", "D102,D107"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def spread_out(network):
    """Give normalisation statistics that differ from those it starts with, as training does."""
    generator = torch.Generator().manual_seed(0)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.copy_(torch.randn(layer.running_mean.shape, generator=generator) / 5)
            layer.running_var.copy_(torch.rand(layer.running_var.shape, generator=generator) + 0.5)
    return network.eval()


CASES = [
    pytest.param(space, options, seed, marks=[pytest.mark.slow] if seed else [])
    for space in registry().names("space")
    for options in OPTIONS.get(space, ({},))
    for seed in range(2)
]


@pytest.mark.parametrize(("name", "options", "seed"), CASES)
def test_every_space_becomes_source(name, options, seed, tmp_path):
    component = registry().load("space", name)
    space = component(parse_options(component, name, options))
    architecture = space.sample(np.random.default_rng(seed))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = space.build(space.blueprint(architecture), ShapedTask(SHAPE, 10))
    spread_out(network)
    found, text = written(network, SHAPE, tmp_path)
    assert_same(network, found, SHAPE)
    assert_formatted(tmp_path / "written.py")
    modules = {
        (node.module or "").split(".")[0] if isinstance(node, ast.ImportFrom) else node.names[0].name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
    }
    assert modules <= {"json", "pathlib", "torch"}
    assert "torch.ops" not in text
    assert "pickle" not in text


class Awkward(nn.Module):
    """Lists of tensors, sizes of the batch, operations in place, a module used twice, a constant, and a parameter."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, -2.0, 0.5]))
        self.register_buffer("steps", torch.arange(3))
        self.twice = nn.Linear(3, 3)
        self.join = Join()
        self.unused = nn.Linear(3, 3)
        self.parts = nn.ModuleDict({"sum": nn.Sequential(nn.Linear(3, 3), nn.ReLU(inplace=True)), "0": nn.Identity()})

    def forward(self, input):
        batch = input.shape[0]
        states = [self.twice(input), self.parts["0"](self.twice(input * 2))]
        states.append(self.parts["sum"](states[0]))
        kept = states[1].clone()
        kept.add_(1.0)
        kept.relu_()
        joined = self.join(states, kept).reshape(batch, 3, -1)
        weights = torch.softmax(self.scale[self.steps] * torch.tensor([1.0, 2.0, 3.0]), 0)
        total = (joined * weights[None, :, None]).sum(1)
        return torch.where(total > 0, total, -total / 3) - input[:, 1:].mean(1, keepdim=True).expand(batch, 2)[:, :1]


class Join(nn.Module):
    """Says "what" \\ it does."""

    def forward(self, states, last):
        first, second = torch.cat([*states, last], 1).chunk(2, 1)
        return torch.stack([first, second], 2) ** 2


def test_awkward_modules_become_source(tmp_path):
    network = Awkward().eval()
    found, text = written(network, (3,), tmp_path)
    assert_same(network, found, (3,))
    assert_formatted(tmp_path / "written.py")
    assert "unused" not in text


def test_equal_modules_are_one_class(tmp_path):
    network = nn.Sequential(Residual(4), Residual(4), Residual(4)).eval()
    found, text = written(network, (4,), tmp_path)
    assert_same(network, found, (4,))
    assert text.count("class Residual") == 1
    assert text.count("Residual()") == 3
    assert '"""Adds what a layer makes of the input."""' in text
    assert "return self.layer(x) + x" in text


class Residual(nn.Module):
    """Adds what a layer makes of the input.

    No more than that.
    """

    def __init__(self, size):
        super().__init__()
        self.layer = nn.Linear(size, size)

    def forward(self, x):
        return self.layer(x) + x


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Conv2d(3, 8, (3, 5), padding=(1, 2), groups=1), "nn.Conv2d(3, 8, (3, 5), padding=(1, 2))"),
        (nn.BatchNorm2d(4, eps=1e-3, momentum=None), "nn.BatchNorm2d(4, eps=0.001, momentum=None)"),
        (nn.LayerNorm([4]), "nn.LayerNorm((4,))"),
        (nn.GELU("tanh"), 'nn.GELU(approximate="tanh")'),
        (nn.Linear(2, 3, bias=False), "nn.Linear(2, 3, bias=False)"),
        (nn.AdaptiveAvgPool2d(1), "nn.AdaptiveAvgPool2d(1)"),
    ],
)
def test_layers_of_torch_become_the_calls_that_make_them(layer, text):
    assert constructor(layer).line == text


@pytest.mark.parametrize("module", [nn.Sequential(nn.ReLU()), Residual(2), nn.LSTM(2, 2)])
def test_other_modules_become_classes(module):
    assert constructor(module) is None


def test_what_does_not_fit_is_broken_after_brackets():
    lines = lay_out("value = ", Group("f(", ["a" * 40, Group("[", ["b" * 30, "c" * 30], "]"), "d" * 20], ")"), 1)
    assert lines[0] == "    value = f("
    assert lines[-1] == "    )"
    assert all(line.endswith(",") for line in lines[1:-1])


def test_names_shadow_nothing():
    names = Names()
    assert [names.new(wish) for wish in ("sum", "class", "3", "torch", "sum")] == [
        "sum_",
        "class_",
        "layer_3",
        "torch_",
        "sum__2",
    ]
    assert class_name("edge.0_1") == "Edge01"
