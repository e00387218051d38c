import numpy as np
import pytest
import torch
from single import Fixed, Inputs
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from automl import Architecture, Candidate, Context
from automl_plugins.evaluators.cost import Cost
from automl_spaces.nas_bench_201 import Cell, NasBench201, NasBench201Options
from automl_spaces.nas_cell import NasCell


def cost(make, *shape):
    return Cost().evaluate(Candidate(Fixed(make), Architecture.of({})), Context(Inputs(*shape)))


def test_every_declared_metric_is_reported():
    found = cost(lambda: nn.Linear(3, 4), 3)
    assert list(found) == [metric.name for metric in Cost().metrics(Inputs(3))]
    assert all(type(value) is float for value in found.values())


def test_a_dense_layer_costs_its_weights():
    assert cost(lambda: nn.Linear(3, 4), 3) == {"params": 16, "flops": 12}


def test_a_convolution_costs_its_closed_form():
    found = cost(lambda: nn.Conv2d(6, 8, (3, 5), stride=2, padding=(1, 2), groups=2), 6, 10, 14)
    assert found == {"params": 8 * 3 * 15 + 8, "flops": 8 * 5 * 7 * 3 * 15}


def test_shared_and_frozen_parameters_count_once_and_not_at_all():
    def make():
        layer, frozen = nn.Linear(4, 4), nn.Linear(4, 4)
        return nn.Sequential(layer, nn.Tanh(), layer, frozen.requires_grad_(False))

    assert cost(make, 4) == {"params": 20, "flops": 48}


def test_recurrence_and_attention_are_counted():
    class Attention(nn.Module):
        def forward(self, sequence):
            return functional.scaled_dot_product_attention(sequence, sequence, sequence)

    length, width = 7, 4
    assert cost(Attention, length, width)["flops"] == 2 * length * length * width
    recurrent = cost(lambda: nn.LSTM(width, 5, batch_first=True), length, width)
    assert recurrent["flops"] == length * 4 * 5 * (width + 5)


@pytest.mark.parametrize("space", [NasCell(), NasBench201()], ids=lambda space: type(space).__name__)
def test_costs_agree_with_the_real_network_and_torch(space):
    rng, task = np.random.default_rng(0), Inputs(2, 9, 13)
    for _ in range(10):
        candidate = Candidate(space, space.sample(rng))
        network = candidate.build(task, 0).eval()
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            network(torch.zeros(1, 2, 9, 13))
        params = sum(weight.numel() for weight in network.parameters())
        found = Cost().evaluate(candidate, Context(task))
        assert found == {"params": params, "flops": counter.get_total_flops() / 2}


def test_the_random_state_of_the_caller_is_left_alone():
    before = torch.get_rng_state()
    cost(lambda: nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Linear(4, int(torch.rand(()).numel()))), 3)
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_allocated():
    assert cost(lambda: nn.Linear(10**6, 10**6), 10**6)["params"] == 10**12 + 10**6


def executed(blueprint):
    """Count the executed convolutions and pools of a cell by operation."""
    graph = NasBench201().computed_graph(blueprint)
    return [label for node, label in graph.nodes(data="label") if graph.degree(node)]


def test_multiply_accumulates_agree_with_nas_bench_201(automl_data):
    """The table adds 3 for each value out of a ReLU and normalisation, 9 for each pooled one, and a constant."""
    with np.load(automl_data("nasbench201/nasbench201.npz"), allow_pickle=False) as archive:
        ops, names, mflops = archive["ops"], archive["op_names"], archive["cifar10_mflops"]
    space, task = NasBench201(NasBench201Options(channels=16, cells_per_stage=5)), Inputs(3, 32, 32)
    values = 5 * (16 * 32**2 + 32 * 16**2 + 64 * 8**2)
    checked = 0
    for row in np.random.default_rng(0).choice(len(ops), 150, replace=False):
        blueprint = Cell(tuple(str(names[i]) for i in ops[row]))
        written = [name for name in blueprint.operations if "conv" in name or "pool" in name]
        if sorted(written) != sorted(label for label in executed(blueprint) if "_" in label):
            continue  # the table counts operations that the output does not depend on, which are not executed here
        candidate = Candidate(space, Architecture.of(space.encode(blueprint)))
        convolutions = sum("conv" in name for name in written)
        extra = values * (3 * convolutions + 9 * (len(written) - convolutions)) + 160_832
        found = Cost().evaluate(candidate, Context(task))["flops"] + extra
        assert found == pytest.approx(float(mflops[row]) * 1e6, abs=20)
        checked += 1
    assert checked > 50
