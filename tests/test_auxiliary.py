import types

import pytest
import torch
from torch import nn

from automl import HasAuxiliaryOutputs, training_outputs
from automl.testing.problems import TinyTask
from automl_plugins.evaluators._training import Run, Settings, TrainOptions, take_step


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.main, self.other = nn.Linear(64, 3), nn.Linear(64, 3)

    def forward(self, inputs):
        return self.main(inputs.flatten(1))

    def outputs_with_auxiliary(self, inputs):
        return self(inputs), ((0.25, self.other(inputs.flatten(1))),)


def test_networks_without_auxiliary_outputs_have_none():
    inputs = torch.randn(2, 5)
    network = nn.Linear(5, 3)
    assert not isinstance(network, HasAuxiliaryOutputs)
    outputs, auxiliary = training_outputs(network, inputs)
    assert torch.equal(outputs, network(inputs))
    assert auxiliary == ()


def test_a_step_of_training_adds_their_weighted_losses():
    torch.manual_seed(0)
    task = TinyTask()
    context = types.SimpleNamespace(task=task, device="cpu")
    settings = Settings.of(TrainOptions(optimizer="sgd", momentum=0.0, weight_decay=0.0), context, 24)
    run = Run.start(TwoHeads(), settings)
    inputs, targets = torch.randn(6, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1, 2])
    flat = inputs.flatten(1)
    losses = [nn.functional.cross_entropy(head(flat), targets) for head in (run.network.main, run.network.other)]
    expected = losses[0] + 0.25 * losses[1]
    expected.backward()
    before = {name: weight.detach().clone() for name, weight in run.network.named_parameters()}
    gradients = {name: weight.grad.clone() for name, weight in run.network.named_parameters()}
    loss = take_step(run, inputs, targets, 0.1, settings, context)
    assert float(loss) == pytest.approx(float(expected.detach()), rel=1e-6)
    for name, weight in run.network.named_parameters():
        torch.testing.assert_close(weight.detach(), before[name] - 0.1 * gradients[name])
