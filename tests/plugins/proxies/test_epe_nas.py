"""Correlations within classes, against the formula in NumPy."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from automl import Unmeasurable
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies.epe_nas import class_score


def epe_nas(network, batch, task="classification"):
    return score(network, batch, task, proxies=("epe_nas",))["epe_nas"]


def made(classes=3, inputs=8):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(inputs, 30), nn.Tanh(), nn.Linear(30, classes)).double()


def logs_of(network, inputs, labels):
    """Sum and number of rows of ln(|correlation| + k) for each class of two examples or more."""
    found = []
    for label in sorted(set(labels.tolist())):
        rows = []
        for one in inputs[labels == label]:
            leaf = one.clone().requires_grad_()
            network(leaf[None]).sum().backward()
            rows.append(leaf.grad.numpy())
        if len(rows) > 1:
            found.append((np.log(np.abs(np.corrcoef(rows)) + 1e-5).sum(), len(rows)))
    return found


def test_it_is_the_sum_over_classes_of_absolute_log_correlations():
    inputs, labels = torch.randn(11, 8, dtype=torch.float64), torch.tensor([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    network = made()
    expected = sum(abs(log) for log, _ in logs_of(network, inputs, labels))
    assert epe_nas(network, (inputs, labels)).value == pytest.approx(expected, rel=1e-9)


def test_beyond_100_classes_it_is_the_mean_difference_of_pairs():
    inputs, labels = torch.randn(9, 8, dtype=torch.float64), torch.tensor([0, 0, 5, 5, 5, 100, 100, 100, 7])
    network = made(classes=101)
    means = [log / rows for log, rows in logs_of(network, inputs, labels)]
    expected = np.mean([abs(one - other) for one, other in itertools.combinations(means, 2)])
    assert epe_nas(network, (inputs, labels)).value == pytest.approx(expected, rel=1e-9)


def test_the_order_of_the_examples_does_not_matter():
    inputs, labels = torch.randn(12, 8, dtype=torch.float64), torch.arange(12) % 3
    order = torch.randperm(12)
    network = made()
    assert epe_nas(network, (inputs[order], labels[order])).value == pytest.approx(
        epe_nas(network, (inputs, labels)).value
    )


def test_classes_of_one_example_are_undefined():
    found = epe_nas(made(), (torch.randn(3, 8, dtype=torch.float64), torch.arange(3)))
    assert found.status == "undefined"
    assert "no class has two examples" in found.reason


def test_one_class_among_many_is_undefined():
    with pytest.raises(Unmeasurable, match="only one class"):
        class_score([torch.randn(3, 5)], 101)


def test_regression_is_unsupported_and_so_are_missing_targets():
    inputs = torch.randn(4, 8, dtype=torch.float64)
    assert epe_nas(made(), (inputs, torch.randn(4, 3)), "regression").status == "unsupported"
    assert epe_nas(made(), inputs).status == "unsupported"


def test_class_probabilities_are_unsupported():
    probabilities = torch.full((4, 3), 1 / 3, dtype=torch.float64)
    assert epe_nas(made(), (torch.randn(4, 8, dtype=torch.float64), probabilities)).status == "unsupported"
