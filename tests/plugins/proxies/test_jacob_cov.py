"""Correlations of input Jacobians, against the formula example by example in NumPy."""

import numpy as np
import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, Criterion
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.jacob_cov import JacobCov


def jacob_cov(network, inputs):
    return score(network, inputs, proxies=("jacob_cov",))["jacob_cov"]


def direct(jacobian):
    k = 1e-5
    values = np.linalg.eigvals(np.corrcoef(jacobian)).real
    return -sum(np.log(value + k) + 1 / (value + k) for value in values)


class Given(nn.Module):
    """The sum of whose outputs has a given Jacobian: row i for the example whose first input is i."""

    def __init__(self, rows):
        super().__init__()
        self.register_buffer("rows", rows)

    def forward(self, features):
        return (features * self.rows[features[:, 0].round().long()]).sum(1, keepdim=True)


def inputs_for(rows):
    inputs = torch.zeros(rows.shape, dtype=rows.dtype)
    inputs[:, 0] = torch.arange(len(rows))
    return inputs


def test_it_is_the_formula_on_the_jacobian_of_each_example():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 30), nn.Tanh(), nn.Linear(30, 4)).double()
    inputs = torch.randn(6, 12, dtype=torch.float64)
    rows = []
    for one in inputs:
        leaf = one.clone().requires_grad_()
        network(leaf[None]).sum().backward()
        rows.append(leaf.grad.numpy())
    assert jacob_cov(network, inputs).value == pytest.approx(direct(np.array(rows)), rel=1e-6)


def test_batch_statistics_couple_the_rows_as_published():
    made = zoo.made("convolutional")
    inputs = made.batch[0]
    leaf = inputs.clone().requires_grad_()
    made.network.train()
    made.network(leaf).sum().backward()
    assert jacob_cov(made.network, inputs).value == pytest.approx(direct(leaf.grad.flatten(1).numpy()), rel=1e-4)


def test_it_is_minus_the_number_of_examples_where_rows_do_not_correlate_and_less_elsewhere():
    examples = 5
    hadamard = torch.tensor([[1.0]], dtype=torch.float64)
    for _ in range(3):
        hadamard = torch.cat([torch.cat([hadamard, hadamard], 1), torch.cat([hadamard, -hadamard], 1)])
    rows = hadamard[1 : examples + 1]
    assert jacob_cov(Given(rows), inputs_for(rows)).value == pytest.approx(-examples, abs=1e-6)
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        rows = torch.randn(examples, 8, generator=generator, dtype=torch.float64)
        assert jacob_cov(Given(rows), inputs_for(rows)).value < -examples


def test_scaling_the_outputs_changes_nothing():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(9, 20), nn.ReLU(), nn.Linear(20, 3)).double()
    inputs = torch.randn(5, 9, dtype=torch.float64)
    before = jacob_cov(network, inputs).value
    with torch.no_grad():
        network[2].weight.mul_(7.5)
    assert jacob_cov(network, inputs).value == pytest.approx(before, rel=1e-9)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_constant_row_is_undefined(constant):
    rows = torch.randn(4, 16)
    rows[2] = constant
    found = jacob_cov(Given(rows), inputs_for(rows))
    assert found.status == "undefined"
    assert "1 of 4 examples" in found.reason


def test_one_example_is_undefined():
    assert jacob_cov(nn.Linear(3, 2), torch.randn(1, 3)).status == "undefined"


def test_a_jacobian_that_overflows_is_not_finite():
    rows = torch.full((3, 4), float("inf"))
    assert jacob_cov(Given(rows), inputs_for(rows)).status == "not_finite"


def test_it_shares_the_pass_of_the_bench():
    bench = Bench(nn.Linear(3, 2), Batch.of(torch.randn(4, 3)), Criterion.of("regression"), needs=("jacobian",))
    assert bench.shared("jacobian").jacobian is bench.jacobian()
    assert JacobCov.needs == {"jacobian"}
