import pytest
import torch
import zoo
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from automl import ComponentSpec
from automl.proxies.copying import private_copy
from automl.proxies.networks import set_mode
from automl_plugins.evaluators.zero_cost import score


def small(name):
    """Return a network in double precision with few weights, a batch and a kind of problem."""
    torch.manual_seed(0)
    networks = {
        "convolutional": lambda: nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Softplus(), nn.Flatten(), nn.Linear(8, 3)
        ),
        "perceptron": lambda: nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 3)),
        "tokens": lambda: Tokens(),
    }
    inputs = {"convolutional": (6, 1, 4, 4), "perceptron": (6, 4)}
    network = networks[name]().double()
    batch = torch.randint(0, 5, (6, 3)) if name == "tokens" else torch.randn(*inputs[name]).double()
    return network, (batch, torch.arange(6) % 3)


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.head = nn.Embedding(5, 2), nn.Linear(2, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        return self.head(functional.scaled_dot_product_attention(hidden, hidden, hidden).mean(1))


@pytest.mark.parametrize("name", ["convolutional", "perceptron", "tokens"])
@pytest.mark.parametrize("which", ["weights", "all"])
def test_it_is_the_explicit_hessian(name, which):
    network, batch = small(name)
    copied = private_copy(network)
    set_mode(copied, "batch")
    values = {key: p.detach() for key, p in copied.named_parameters()}
    chosen = {key: p for key, p in values.items() if which == "all" or p.ndim > 1}
    sizes = [p.numel() for p in chosen.values()]

    def loss(flat):
        parts = zip(chosen.items(), flat.split(sizes), strict=True)
        now = values | {key: part.view_as(p) for (key, p), part in parts}
        with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
            return functional.cross_entropy(functional_call(copied, now, (batch[0],)), batch[1])

    flat = torch.cat([p.flatten() for p in chosen.values()])
    hessian = torch.autograd.functional.hessian(loss, flat)
    gradient = torch.autograd.functional.jacobian(loss, flat)
    expected = -float(flat @ hessian @ gradient)
    spec = ComponentSpec(name="grasp", options={"parameters": which})
    assert score(network, batch, proxies=(spec,))["grasp"].value == pytest.approx(expected, rel=1e-9)


def test_attention_and_recurrence_have_a_second_derivative():
    for name in ("transformer", "keywords", "lstm", "tied_language_model"):
        animal = zoo.made(name)
        assert score(animal.network, animal.batch, animal.kind, proxies=("grasp",))["grasp"].status == "ok"


def test_a_function_without_a_second_derivative_is_unsupported():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx, gradient):
            return 2 * gradient * ctx.saved_tensors[0]

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Linear(4, 3)

        def forward(self, x):
            return Once.apply(self.body(x))

    found = score(Network(), (torch.randn(6, 4), torch.arange(6) % 3), proxies=("grasp",))["grasp"]
    assert found.status == "unsupported"
    assert "differentiated again" in found.reason


def test_a_network_that_is_linear_in_its_weights_and_its_loss_has_none():
    """The gradient depends on no weight, so the Hessian is zero."""
    batch = (torch.randn(6, 4), torch.randn(6, 3))
    found = score(nn.Linear(4, 3), batch, lambda outputs, targets: (outputs * targets).sum(), proxies=("grasp",))
    assert found["grasp"].value == 0


def test_a_loss_that_is_no_number_has_none():
    network, padding = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5)), torch.full((3, 6), -100)
    found = score(network, (torch.zeros(3, 6, dtype=torch.long), padding), "sequence", proxies=("grasp",))["grasp"]
    assert found.status == "not_finite"
