from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from automl import TensorSplit
from automl.testing.problems import TinyTask
from automl_spaces.kan.explain import explain, read_layers
from automl_spaces.kan.layers import Chebyshev, KanLinear, KanSpec, MixedKanLinear, Polynomial
from automl_spaces.kan.selection import SelectableKanLinear


class Rows(TinyTask):
    """Two numbers in [-1, 1] and the targets of a regression in a unit of its own."""

    output_scale = (10.0, 2.0)

    def load(self, split: str) -> TensorSplit:
        inputs = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 2 - 1
        return TensorSplit(inputs, inputs.sum(1))


def rows() -> Rows:
    return Rows(TinyTask.Options(shape=(2,), outputs=1, task_kind="regression"))


def square_and_line() -> nn.Sequential:
    """``x1² - 3 x2 + 0.5``."""
    spec = KanSpec(family=Polynomial(degree=2), before="none", bias=True)
    layer = KanLinear(2, 1, spec)
    with torch.no_grad():
        layer.set_coefficients(torch.zeros_like(layer.coefficients))
        layer.base = None
        coefficients = torch.zeros_like(layer.coefficients)
        size = coefficients.shape[1]
        values = layer.basis(torch.tensor([[0.5, 0.5]]))[0, :, 0]
        place = {power: int((values - 0.5**power).abs().argmin()) for power in (1, 2)}
        assert size > max(place.values())
        coefficients[0, place[2], 0], coefficients[0, place[1], 1] = 1.0, -3.0
        layer.set_coefficients(coefficients)
        assert layer.bias is not None
        layer.bias.fill_(0.5)
    return nn.Sequential(nn.Flatten(), layer).eval()


def test_a_known_network_is_read_as_its_formula_in_the_unit_of_the_targets() -> None:
    network = square_and_line()
    found = explain(network, rows())
    formula = found.lines[0]
    assert formula.startswith("y = ")
    assert "2 (x1)^2" in formula
    assert "- 6 x2" in formula or "-6 x2" in formula
    assert formula.endswith("+ 11"), "10 + 2 · 0.5"
    assert "R² 1.0000" in found.lines[1]
    assert set(found.pictures) == {"edges"}
    assert found.pictures["edges"].startswith(b"\x89PNG")


@pytest.mark.parametrize("after", ["none", "batch_norm"])
def test_edges_add_up_to_the_layer_whatever_its_families(after: str) -> None:
    torch.manual_seed(0)
    specs = [KanSpec(family=family, base="silu", before="tanh", after=after) for family in (Chebyshev(), Polynomial())]
    layer = MixedKanLinear(2, 3, specs, [0, 1]).eval()
    inputs = torch.rand(200, 2) * 2 - 1
    [read] = read_layers([layer], inputs, most=60)
    expected = layer(inputs).detach().double()
    summed = torch.tensor(read.constants).repeat(200, 1)
    for each in read.edges:
        edge = each.edge
        values = torch.tensor(edge.y)
        step = (edge.x[-1] - edge.x[0]) / (len(edge.x) - 1)
        place = (inputs[:, edge.source].double() - edge.x[0]) / step
        low = place.floor().long().clamp(0, len(edge.x) - 2)
        summed[:, edge.target] += values[low] + (place - low) * (values[low + 1] - values[low])
    assert float((summed - expected).abs().max()) < 0.02 * float(expected.std())


def test_layers_that_mix_inputs_are_said_to() -> None:
    spec = KanSpec(family=Chebyshev(), before="layer_norm")
    network = nn.Sequential(nn.Flatten(), KanLinear(2, 2, KanSpec(before="tanh")), KanLinear(2, 1, spec)).eval()
    found = explain(network, rows())
    assert found.lines[0].startswith("no formula: layer normalisation in layer 2")
    assert any(line.strip().startswith("1: ") for line in found.lines), "the first layer is read all the same"
    alone = explain(nn.Sequential(nn.Flatten(), KanLinear(2, 1, spec)).eval(), rows())
    assert len(alone.lines) == 1
    assert not alone.pictures


@pytest.mark.slow
def test_a_large_network_has_a_table_of_its_strongest_edges_alone() -> None:
    network = nn.Sequential(nn.Flatten(), KanLinear(2, 40, KanSpec(before="tanh")), KanLinear(40, 1)).eval()
    found = explain(network, rows())
    assert "no formula: the network has 120 edges" in found.lines[0]
    assert "the 24 strongest of 120" in found.lines[1]
    deviations = [float(line.split()[5]) for line in found.lines[2:]]
    assert deviations == sorted(deviations, reverse=True)
    assert all(math.isfinite(value) for value in deviations)


def test_explaining_changes_nothing() -> None:
    network = square_and_line()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    state = torch.get_rng_state()
    assert explain(network, rows()).lines == explain(network, rows()).lines
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_layers_that_have_not_chosen_are_read_as_the_mixture_they_are() -> None:
    pool = [KanSpec(family=Chebyshev(degree=2)), KanSpec(family=Polynomial(degree=2))]
    network = nn.Sequential(nn.Flatten(), SelectableKanLinear(2, 1, pool)).eval()
    found = explain(network, rows())
    assert found.lines[0].startswith("y = ")
    assert "1: 2 -> 1" in found.text
