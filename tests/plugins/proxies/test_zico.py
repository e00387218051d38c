import math

import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec, private_copy
from automl_plugins.evaluators.zero_cost import score


def zico(model, batch, task="classification", **options):
    return score(model, batch, task, proxies=(ComponentSpec(name="zico", options=options),))["zico"]


def by_loops(model, parts, targets):
    """One parameter at a time, by Python's arithmetic."""
    gradients = []
    for inputs, labels in zip(parts, targets, strict=True):
        own = private_copy(model).train()
        functional.cross_entropy(own(inputs), labels).backward()
        gradients.append([p.grad.flatten().tolist() for p in own.parameters() if p.ndim > 1])
    total = 0.0
    for layer in zip(*gradients, strict=True):
        summed = 0.0
        for values in zip(*layer, strict=True):
            mean = sum(values) / len(values)
            deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
            summed += sum(map(abs, values)) / len(values) / deviation if deviation > 0 else 0
        total += math.log(summed)
    return total


@pytest.mark.parametrize("parts", [2, 3])
def test_score_is_that_of_a_loop_over_parameters(parts):
    animal = zoo.made("convolutional")
    images, labels = torch.randn(12, 3, 8, 8), torch.arange(12) % 3
    expected = by_loops(animal.network, images.chunk(parts), labels.chunk(parts))
    assert zico(animal.network, (images, labels), batches=parts).value == pytest.approx(expected, rel=1e-5)


def test_scaling_the_loss_changes_nothing():
    torch.manual_seed(0)
    model, batch = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), (torch.randn(8, 4), zoo.labels())
    found = [
        zico(
            model.double(), (batch[0].double(), batch[1]), lambda o, t, by=by: by * functional.cross_entropy(o, t)
        ).value
        for by in (1.0, 1000.0, 1e-6)
    ]
    assert found == pytest.approx([found[0]] * 3, rel=1e-9)


class Half(nn.Module):
    """A network and a layer that it never calls."""

    def __init__(self, used):
        super().__init__()
        self.unused, self.used = nn.Linear(5, 5), used

    def forward(self, inputs):
        return self.used(inputs)


def test_layers_that_the_loss_does_not_depend_on_are_left_out():
    torch.manual_seed(0)
    model, batch = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), (torch.randn(8, 4), zoo.labels())
    assert zico(Half(model), batch).value == zico(model, batch).value


def test_equal_parts_have_no_deviation():
    half = torch.randn(4, 4)
    found = zico(nn.Linear(4, 3), (torch.cat([half, half]), torch.tensor([0, 1, 2, 0] * 2)))
    assert (found.status, found.value) == ("undefined", None)


def test_parts_of_one_example_are_refused():
    found = zico(nn.Linear(4, 3), (torch.randn(3, 4), torch.tensor([0, 1, 2])))
    assert found.reason == "2 parts need 4 examples, and the batch has 3"
