import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec
from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl_plugins.evaluators.zero_cost import score

LOSSES = {"classification": functional.cross_entropy, "regression": functional.mse_loss}
LAYERS = (nn.Conv1d, nn.Conv2d, nn.Linear, nn.Embedding, nn.LSTM)


def fisher(network, batch, kind="classification", **options):
    return score(network, batch, kind, proxies=(ComponentSpec(name="fisher", options=options),))["fisher"]


def by_loops(animal, *, broadcast=False):
    """Return the formula, example by example and channel by channel, from outputs that keep their gradients."""
    network, outputs = private_copy(animal.network), []
    set_mode(network, "batch")
    for module in network.modules():
        if isinstance(module, LAYERS) and not isinstance(module, nn.modules.linear.NonDynamicallyQuantizableLinear):
            module.register_forward_hook(lambda layer, _, output: outputs.append((layer, output)))
    made = network(animal.batch[0])
    for _, output in outputs:
        output.retain_grad()
    LOSSES[animal.kind](made, animal.batch[1]).backward()
    total = 0.0
    for layer, output in outputs:
        first = not isinstance(layer, nn.Conv1d | nn.Conv2d)
        activation, gradient = (t.detach().double().movedim(-1 if first else 1, 0) for t in (output, output.grad))
        fan_in = layer.weight[0].numel() if broadcast and not isinstance(layer, nn.Embedding) else 1
        for channel, along in zip(activation, gradient, strict=True):
            per_example = [float((a * g).sum()) for a, g in zip(channel, along, strict=True)]
            total += fan_in * 0.5 * sum(value**2 for value in per_example) / len(per_example)
    return total


@pytest.mark.parametrize("name", ["convolutional", "one_dimensional", "tabular", "transformer"])
@pytest.mark.parametrize("broadcast", [False, True])
def test_it_is_the_formula_by_loops(name, broadcast):
    animal = zoo.made(name)
    # Position embeddings have no axis of examples, which the loop over examples cannot know.
    expected = by_loops(animal, broadcast=broadcast)
    found = fisher(animal.network, animal.batch, animal.kind, broadcast=broadcast)
    assert found.value == pytest.approx(expected, rel=1e-5)


def test_the_published_sum_counts_a_channel_once_for_each_of_its_weights():
    network, batch = nn.Linear(7, 3), (torch.randn(6, 7), torch.arange(6) % 3)
    assert fisher(network, batch, broadcast=True).value == pytest.approx(7 * fisher(network, batch).value, rel=1e-6)


def test_a_recurrent_layer_may_have_its_examples_on_the_second_axis():
    class Recurrent(nn.Module):
        def __init__(self, batch_first):
            super().__init__()
            self.lstm, self.head = nn.LSTM(4, 5, batch_first=batch_first), nn.Linear(5, 3)
            self.batch_first = batch_first

        def forward(self, x):
            output = self.lstm(x if self.batch_first else x.transpose(0, 1))[0]
            return self.head(output[:, -1] if self.batch_first else output[-1])

    one, other = Recurrent(True), Recurrent(False)
    other.load_state_dict(one.state_dict())
    batch = (torch.randn(6, 7, 4), torch.arange(6) % 3)
    assert fisher(one, batch).value == pytest.approx(fisher(other, batch).value, rel=1e-5)


def test_outputs_that_are_overwritten_are_refused_and_not_misread():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, x):
            hidden = self.body(x)
            hidden.add_(x)
            return self.head(hidden)

    found = fisher(Overwriting(), (torch.randn(6, 4), torch.arange(6) % 3))
    assert found.status == "unsupported"
    assert "body" in found.reason
