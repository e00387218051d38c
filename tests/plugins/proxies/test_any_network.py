"""Every proxy on every kind of network: a number or a reason, and the network as it was."""

from __future__ import annotations

import math

import pytest
import torch
import zoo
from numpy.random import default_rng

from automl import make_component
from automl.plugins import registry
from automl.testing.randomness import untouched_randomness
from automl_plugins.evaluators.zero_cost import score

PROXIES = registry().names("proxy")
SPACES = registry().names("space")


def state(network):
    """Everything about a network that a scorer could have changed."""
    tensors = {name: (tensor.clone(), tensor._version, tensor.requires_grad) for name, tensor in named(network)}
    modules = [
        (module.training, len(module._forward_hooks), len(module._backward_hooks), sorted(vars(module)))
        for module in network.modules()
    ]
    return tensors, modules, [parameter.grad for parameter in network.parameters()]


def named(network):
    return [*network.named_parameters(), *network.named_buffers()]


def assert_same(before, after):
    assert before[1:] == after[1:]
    for name, (tensor, version, requires_grad) in before[0].items():
        assert torch.equal(tensor, after[0][name][0]), name
        assert (version, requires_grad) == after[0][name][1:], name


@pytest.mark.parametrize("animal", zoo.ANIMALS)
def test_every_proxy_gives_a_number_or_a_reason_and_changes_nothing(animal):
    made = zoo.made(animal)
    made.network.train()
    before = state(made.network)
    with untouched_randomness():
        found = score(made.network, made.batch, made.kind, proxies=PROXIES)
    assert_same(before, state(made.network))
    for name, one in found.items():
        if one.status == "ok":
            assert math.isfinite(one.value), name
        else:
            assert one.status != "error", f"{name}: {one.reason}"
            assert one.value is None, name
            assert one.reason, name
    assert found["params"].status == "ok"


@pytest.mark.parametrize("animal", ["convolutional", "transformer", "lstm"])
def test_nothing_is_changed_when_the_network_raises_half_way(animal):
    made = zoo.made(animal)
    calls = []

    def broken(module, inputs, output):
        calls.append(module)
        if len(calls) > 1:
            raise RuntimeError("broken")

    last = [module for module in made.network.modules() if not list(module.children())][-1]
    last.register_forward_hook(broken)
    before = state(made.network)
    with untouched_randomness():
        found = score(made.network, made.batch, made.kind, proxies=PROXIES)
    assert_same(before, state(made.network))
    assert {one.status for one in found.values()} <= {"ok", "error", "unsupported", "undefined", "singular"}
    assert any("broken" in one.reason for one in found.values())


@pytest.mark.parametrize("space", SPACES)
def test_every_registered_space_can_be_scored(space):
    made, task, rng = make_component("space", space), make_component("task", "digits"), default_rng(0)
    inputs, targets = next(task.split("train").batches(12, torch.device("cpu")))
    for _ in range(3):
        network = made.build(made.blueprint(made.sample(rng)), task)
        found = score(network, (inputs, targets), task, proxies=PROXIES)
        for name, one in found.items():
            assert one.status != "error", f"{name}: {one.reason}"
        assert found["params"].value > 0
        assert found["naswot"].status in ("ok", "singular", "unsupported")
