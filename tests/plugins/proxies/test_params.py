import numpy as np
import pytest
import torch
import zoo
from torch import nn

from automl import Candidate, ComponentSpec, Context
from automl.testing.problems import TinyTask
from automl_plugins.evaluators.cost import Cost
from automl_plugins.evaluators.zero_cost import score
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell

COUNT_ALL = ComponentSpec(name="params", options={"count": "all"})


def params(network, batch, kind="classification", spec="params"):
    return score(network, batch, kind, proxies=(spec,))["params"].value


class DeadEnd(nn.Module):
    """A layer that is never called, one whose result is thrown away, and one that is called twice."""

    def __init__(self):
        super().__init__()
        self.unused, self.ignored = nn.Linear(7, 7), nn.Linear(4, 4)
        self.twice, self.frozen = nn.Linear(4, 4), nn.Linear(4, 2).requires_grad_(False)

    def forward(self, x):
        self.ignored(x)
        return self.frozen(self.twice(self.twice(x)))


def test_only_what_the_outputs_depend_on_counts_and_shared_parameters_once():
    batch = torch.randn(3, 4)
    assert params(DeadEnd(), batch) == 20
    assert params(DeadEnd(), batch, spec=COUNT_ALL) == 20 + 20 + 56


@pytest.mark.parametrize("name", zoo.ANIMALS)
def test_it_agrees_with_autograd(name):
    animal = zoo.made(name)
    found = params(animal.network, animal.batch, animal.kind)
    total = sum(p.numel() for p in animal.network.parameters() if p.requires_grad)
    # The auxiliary head of one, and the positions of another, which its own forward pass leaves out, are dead.
    dead = {"two_heads": 8 * 3 + 3, "keywords": 6 * 16}.get(name, 0)
    assert found == total - dead
    assert params(animal.network, animal.batch, animal.kind, COUNT_ALL) == total


@pytest.mark.parametrize("space", [NasCell(), NasBench201()], ids=lambda space: type(space).__name__)
def test_both_costs_agree_with_the_evaluator_where_nothing_is_dead(space):
    task, rng, compared = TinyTask(TinyTask.Options(shape=(3, 8, 8))), np.random.default_rng(0), 0
    for _ in range(8):
        candidate = Candidate(space, space.sample(rng))
        network = candidate.build(task, 0)
        found = score(network, torch.randn(2, 3, 8, 8), proxies=("flops", COUNT_ALL))
        expected = Cost().evaluate(candidate, Context(task))
        assert found["flops"].value == expected["flops"]
        assert found["params"].value == expected["params"]
        compared += params(network, torch.randn(2, 3, 8, 8)) == expected["params"]
    assert compared > 0


def test_a_network_that_runs_without_autograd_does_not_count_as_empty():
    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 3)

        def forward(self, x):
            return self.body(x).detach()

    found = score(Detached(), torch.randn(2, 4), proxies=("params", "l2_norm"))
    assert {one.status for one in found.values()} == {"unsupported"}
    assert params(Detached(), torch.randn(2, 4), spec=COUNT_ALL) == 15
