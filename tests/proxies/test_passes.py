"""The shared pass: what it finds, and what its parts do when others fail."""

import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import Batch, Criterion, Observer, Unmeasurable
from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl.proxies.observer import Audience
from automl.proxies.passes import run_pass

ALL = frozenset({"gradients", "jacobian"})


def passed(network, batch, kind="classification", needs=ALL, observers=(), check=lambda: None):
    copied = private_copy(network)
    set_mode(copied, "batch")
    return run_pass(copied, Batch.of(batch), Criterion.of(kind), frozenset(needs), Audience(observers), check)


class Recording(Observer):
    """Keeps everything."""

    def __init__(self):
        self.sizes, self.layers, self.gradients, self.activations = [], [], [], []

    def begin(self, batch):
        self.sizes.append(batch.size)

    def layer(self, name, module, output):
        self.layers.append((name, output))

    def layer_gradient(self, name, module, output, gradient):
        self.gradients.append((name, output.clone(), gradient.clone()))

    def activation(self, activation, before):
        self.activations.append((activation.name, before.clone()))


def smooth():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()


BATCH = (torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0)), torch.arange(5) % 3)


def test_gradients_and_jacobian_of_one_forward_pass_are_those_of_autograd():
    network, (inputs, targets) = smooth(), BATCH
    found = passed(network, BATCH)
    functional.cross_entropy(network(inputs), targets).backward()
    for name, parameter in network.named_parameters():
        torch.testing.assert_close(found.gradients[name], parameter.grad)
    rows = torch.autograd.functional.jacobian(lambda x: network(x).sum(1), inputs)
    torch.testing.assert_close(found.jacobian, torch.stack([rows[i, i] for i in range(5)]))
    torch.testing.assert_close(found.logits, network(inputs).detach())
    assert found.loss == pytest.approx(functional.cross_entropy(network(inputs), targets).item())
    assert set(found.seconds) == {"forward", "gradients", "jacobian"}


def test_observers_see_layers_activations_and_gradients_of_the_loss_alone():
    observer = Recording()
    network, (inputs, targets) = smooth(), BATCH
    passed(network, BATCH, observers=(observer,))
    first = network[0](inputs)
    logits = network[2](torch.tanh(first))
    expected = torch.autograd.grad(functional.cross_entropy(logits, targets), [first, logits])
    assert observer.sizes == [5]
    assert [name for name, _ in observer.layers] == ["0", "2"]
    assert [name for name, _, _ in observer.gradients] == ["2", "0"]
    torch.testing.assert_close(observer.gradients[1][2], expected[0])
    torch.testing.assert_close(observer.gradients[0][2], expected[1])
    [(name, before)] = observer.activations
    assert name == "tanh"
    torch.testing.assert_close(before, first.detach())


def test_activations_in_place_do_not_overwrite_what_observers_see():
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(4 * 36, 3))
    network, batch = nn.Sequential(*layers), (torch.randn(8, 3, 8, 8), zoo.labels())
    observer = Recording()
    passed(network, batch, observers=(observer,))
    before = network[0](batch[0]).detach()
    torch.testing.assert_close(observer.activations[0][1], before)
    seen = {name: output for name, output, _ in observer.gradients}
    torch.testing.assert_close(seen["0"], before)


def test_a_shared_layer_is_seen_at_each_call():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

        def forward(self, features):
            return self.head(torch.relu(self.layer(torch.relu(self.layer(features)))))

    observer = Recording()
    passed(Shared(), (torch.randn(5, 4), torch.arange(5) % 3), observers=(observer,))
    assert [name for name, _ in observer.layers] == ["layer", "layer", "head"]
    assert [name for name, _, _ in observer.gradients] == ["head", "layer", "layer"]
    assert len(observer.activations) == 2


def test_the_inputs_are_left_alone_by_a_network_that_overwrites_them():
    class Overwriting(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(4, 3)

        def forward(self, features):
            return self.head(features.mul_(2.0).relu_())

    for needs in ({"forward"}, {"gradients"}, {"jacobian"}, ALL):
        inputs = torch.randn(5, 4)
        before = inputs.clone()
        found = passed(Overwriting(), (inputs, torch.arange(5) % 3), needs=needs)
        assert found.failures == {}
        assert torch.equal(inputs, before)
        assert not inputs.requires_grad


@pytest.mark.parametrize("name", ["transformer", "keywords", "tied_language_model"])
def test_tokens_are_differentiated_by_at_their_embeddings(name):
    animal = zoo.made(name)
    found = passed(animal.network, animal.batch, animal.kind)
    width = 10 if name == "tied_language_model" else 16
    assert found.failures == {}
    assert found.jacobian.shape == (zoo.EXAMPLES, 6 * width)
    assert found.jacobian.abs().sum() > 0


def test_frozen_embeddings_will_do():
    animal = zoo.made("transformer")
    animal.network.tokens.weight.requires_grad_(False)
    found = passed(animal.network, animal.batch)
    assert "tokens.weight" not in found.gradients
    assert found.jacobian.shape == (zoo.EXAMPLES, 6 * 16)


def test_tokens_without_an_embedding_have_gradients_but_no_jacobian():
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(5, 3)

        def forward(self, tokens):
            return self.head(functional.one_hot(tokens, 5).float().mean(1))

    found = passed(OneHot(), (torch.randint(0, 5, (4, 6)), torch.arange(4) % 3))
    assert set(found.failures) == {"jacobian"}
    assert found.failures["jacobian"].status == "unsupported"
    assert set(found.gradients) == {"head.weight", "head.bias"}


def test_numbers_beside_a_category_are_what_is_differentiated_by():
    animal = zoo.made("two_inputs")
    assert passed(animal.network, animal.batch).jacobian.shape == (zoo.EXAMPLES, 5)


@pytest.mark.parametrize(
    ("network", "batch", "reason"),
    [
        (smooth(), BATCH[0], "needs targets"),
        (nn.ReLU(), (torch.randn(5, 3), torch.arange(5) % 3), "no trainable parameters"),
        (zoo.made("buffers_only").network, zoo.made("buffers_only").batch, "no trainable parameters"),
        (smooth().requires_grad_(False), BATCH, "no trainable parameters"),
    ],
)
def test_without_a_gradient_there_may_yet_be_a_jacobian(network, batch, reason):
    found = passed(network, batch)
    assert set(found.failures) == {"gradients"}
    assert isinstance(found.failures["gradients"], Unmeasurable)
    assert reason in found.failures["gradients"].reason
    assert len(found.jacobian) == len(found.logits)


def test_a_loss_that_depends_on_no_parameter_is_unsupported():
    class Detached(nn.Module):
        def __init__(self):
            super().__init__()
            self.unused = nn.Linear(4, 4)

        def forward(self, features):
            return features[:, :3] + self.unused(features).detach()[:, :3]

    found = passed(Detached(), (torch.randn(5, 4), torch.arange(5) % 3), needs={"gradients"})
    assert "depends on no trainable parameter" in found.failures["gradients"].reason


def test_what_the_network_raises_is_found_by_every_part():
    found = passed(nn.Linear(3, 2), (torch.randn(5, 4), torch.arange(5) % 2))
    assert set(found.failures) == {"forward", "gradients", "jacobian"}
    assert found.logits is None


def test_one_example_cannot_be_normalised_by_its_batch():
    network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))
    found = passed(network, (torch.randn(1, 4), torch.tensor([0])))
    assert "more than 1 value per channel" in str(found.failures["forward"])


def test_an_observer_that_raises_spoils_nothing():
    class Failing(Recording):
        def layer(self, name, module, output):
            raise ValueError("broken")

    good = Recording()
    found = passed(smooth(), BATCH, observers=(Failing(), good))
    assert found.failures == {}
    assert len(good.layers) == len(good.gradients) == 2


def test_no_hook_outlives_the_pass_even_if_check_raises():
    copied = private_copy(smooth())

    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pass(copied, Batch.of(BATCH), Criterion.of("classification"), ALL, Audience((Recording(),)), stop)
    assert not any(module._forward_hooks for module in copied.modules())


def test_a_forward_pass_alone_keeps_no_graph():
    observer = Recording()
    passed(smooth(), BATCH, needs={"forward"}, observers=(observer,))
    assert not observer.layers[0][1].requires_grad


def test_a_loss_that_is_no_number_has_no_gradients_though_they_are_zeros():
    network = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5))
    padding = torch.full((3, 6), -100)
    found = passed(network, (torch.zeros(3, 6, dtype=torch.long), padding), "sequence")
    assert str(found.failures["gradients"]) == "not_finite: the loss is nan"
    assert found.jacobian is not None


class Spectral(nn.Module):
    """Multiplies with complex numbers."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, dtype=torch.cfloat))

    def forward(self, inputs):
        return (inputs.to(torch.cfloat) @ self.weight).abs()


def test_complex_parameters_are_refused_and_not_halved():
    found = passed(Spectral(), (torch.randn(5, 4), torch.arange(5) % 3))
    assert str(found.failures["gradients"]).startswith("unsupported: the parameter weight is complex")
