"""The ascent of the gradient's norm: on networks whose gradient is known, and on layers known to be stable or not."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from automl import Architecture, Candidate, Context, SearchSpace, Task
from automl.plugins import registry
from automl.testing.problems import TinyTask
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators.stability import NOT_FINITE, Stability, StabilityOptions
from automl_spaces.evonorm import EvoNorm, EvoNormOptions, Expression

SPACE = EvoNorm(EvoNormOptions(members="all", stages=2))
CHAIN = "EXP 0; EXP 4; SQUARE 5"


class Fixed(SearchSpace[int]):
    """One architecture, whose network is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def decide(self, choose: Any) -> int:
        return int(choose.integer("nothing", 0, 1))

    def build(self, blueprint: int, task: Task) -> nn.Module:
        return self.network


def layer(text: str) -> Candidate:
    return Candidate(SPACE, Architecture.of(SPACE.encode(Expression.parse(text))))


def measured(candidate: Candidate, task: Task, **options: Any) -> tuple[dict[str, float], dict[str, str]]:
    remarks: dict[str, str] = {}
    context = Context(task.seal(), seed=0, remark=remarks.__setitem__)
    return dict(Stability(StabilityOptions(**options)).evaluate(candidate, context)), remarks


def of_network(network: nn.Module, **options: Any) -> tuple[dict[str, float], dict[str, str]]:
    return measured(Candidate(Fixed(network), Architecture.of({"nothing": 0})), TinyTask(), **options)


def test_without_steps_it_is_the_norm_of_the_gradient_of_the_weights() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    task = TinyTask().seal()
    inputs, targets = labelled_batch(task, 16, 0)
    slopes = torch.softmax(network(inputs), 1) - nn.functional.one_hot(targets, 3)
    by_hand = (slopes.T @ inputs.flatten(1) / len(inputs)).norm()
    found, remarks = of_network(network, steps=0)
    assert found["gradient_norm"] == pytest.approx(float(by_hand.detach()), rel=1e-4)
    assert not remarks


def test_the_ascent_climbs_and_keeps_the_norm_of_every_weight() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 3))
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    norms = [of_network(network, steps=0)[0]["gradient_norm"], of_network(network, steps=20)[0]["gradient_norm"]]
    assert norms[1] > 2 * norms[0]
    for name, weight in network.named_parameters():
        assert float(weight.detach().norm()) == pytest.approx(float(before[name].norm()), rel=1e-4)
        assert torch.equal(weight, before[name]) == name.endswith("bias")


def test_the_ascent_finds_the_steepest_direction_there_is() -> None:
    class Product(nn.Module):
        """The output grows a hundred times faster along the second axis of the weight than along the first."""

        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([[1.0, 0.2]]))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            steep = (self.weight * torch.tensor([1.0, 10.0])).square().sum()
            return torch.stack([steep, -steep, -steep]).expand(len(inputs), 3)

    network = Product()
    found, _ = of_network(network, steps=100)
    direction = network.weight.detach()[0] / network.weight.detach().norm()
    assert abs(float(direction[1])) > 0.95
    assert found["gradient_norm"] > 50


def test_it_ends_where_its_rule_holds() -> None:
    torch.manual_seed(0)
    found, _ = of_network(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), steps=100, reject="gradient_norm > 0.001")
    assert found["gradient_norm"] > 0.001
    torch.manual_seed(0)
    first, _ = of_network(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)), steps=0)
    assert found == first


def test_what_is_not_finite_is_a_number_with_a_reason() -> None:
    found, remarks = measured(layer(CHAIN), registry().load("task", "digits")())
    assert found == {"gradient_norm": NOT_FINITE}
    assert math.isfinite(found["gradient_norm"])
    assert remarks == {"gradient_norm": "the gradient is not finite after 0 steps of ascent"}


def test_a_network_that_cannot_be_differentiated_twice_is_remarked_upon() -> None:
    class Distances(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            return torch.cdist(inputs, torch.eye(8), p=1.0)

    found, remarks = of_network(nn.Sequential(nn.Flatten(), nn.Linear(64, 8), Distances(), nn.Linear(8, 3)), steps=3)
    assert found == {}
    assert remarks["gradient_norm"].startswith("unsupported: the network cannot be differentiated twice")


def test_a_network_without_weights_is_remarked_upon() -> None:
    found, remarks = of_network(nn.Sequential(nn.Flatten(), nn.AvgPool1d(21)))
    assert (found, remarks) == ({}, {"gradient_norm": remarks["gradient_norm"]})
    assert "no trainable weight" in remarks["gradient_norm"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bn_relu", "evonorm_b0", "evonorm_s0"])
def test_published_layers_are_stable(name: str) -> None:
    space = EvoNorm()
    found, remarks = measured(Candidate(space, space.named(name)), registry().load("task", "digits")())
    assert found["gradient_norm"] < 1e4
    assert not remarks


@pytest.mark.parametrize("name", ["bn_relu", "evonorm_b0", "evonorm_s0"])
def test_published_layers_are_stable_for_some_steps(name: str) -> None:
    found, _ = measured(Candidate(SPACE, SPACE.named(name)), registry().load("task", "digits")(), steps=20)
    assert 0.1 < found["gradient_norm"] < 1e3


def test_a_square_without_normalisation_is_not() -> None:
    found, _ = measured(layer("SQUARE 0"), registry().load("task", "digits")(), steps=20)
    assert found["gradient_norm"] > 1e8
