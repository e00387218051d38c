from __future__ import annotations

import torch

from automl.models.shaped import ShapedTask
from automl_spaces.evonorm import NAMED, EvoNorm, EvoNormOptions
from automl_spaces.evonorm.explain import explain, known_as


def test_a_layer_is_said_as_a_formula_with_its_parameters_and_its_graph() -> None:
    space = EvoNorm(EvoNormOptions(series="S"))
    expression = space.blueprint(space.named("evonorm_s0"))
    network = space.build(expression, ShapedTask((3, 8, 8), 4))
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("v1"):
                parameter.fill_(2.5)
    found = space.explain(expression, network, ShapedTask((3, 8, 8), 4))
    assert expression.formula() in found.lines[0]
    assert "evonorm_s0" in found.lines[1]
    assert any(line.strip().startswith("{whc/g} = ") for line in found.lines)
    assert any(line.strip().startswith("v1: from 2.5 to 2.5") for line in found.lines)
    assert found.pictures["layer"].startswith(b"\x89PNG")


def test_layers_that_run_on_native_kernels_are_said_too() -> None:
    space = EvoNorm()
    expression = NAMED["bn_relu"]
    network = space.build(expression, ShapedTask((3, 8, 8), 4))
    lines = explain(expression, network).lines
    assert known_as(expression) == "bn_relu"
    assert any("gamma" in line and "channels" in line for line in lines[1:])
