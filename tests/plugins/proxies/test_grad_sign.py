import gc

import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional

from automl import ComponentSpec
from automl_plugins.evaluators.zero_cost import score
from automl_plugins.proxies import grad_sign as module


def grad_sign(model, batch, task="classification", **options):
    return score(model, batch, task, proxies=(ComponentSpec(name="grad_sign", options=options),))["grad_sign"]


def by_loop(model, inputs, losses):
    total = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for index in range(len(inputs)):
        loss = losses(model(inputs[index : index + 1]), index)
        for name, gradient in zip(total, torch.autograd.grad(loss, list(model.parameters())), strict=True):
            total[name] += gradient.sign()
    return sum(float(value.abs().sum()) for value in total.values())


def test_score_is_that_of_a_loop_over_examples():
    animal = zoo.made("tabular")
    inputs, targets = animal.batch
    expected = by_loop(
        animal.network, inputs, lambda outputs, index: functional.mse_loss(outputs, targets[index : index + 1])
    )
    found = grad_sign(animal.network, animal.batch, "regression")
    assert (found.value, found.method) == (expected, "vmap")


@pytest.mark.parametrize("name", sorted(set(zoo.ANIMALS) - {"buffers_only"}))
def test_score_lies_between_zero_and_examples_times_parameters(name):
    animal = zoo.made(name)
    found = grad_sign(animal.network, animal.batch, animal.kind)
    assert 0 < found.value <= zoo.EXAMPLES * sum(p.numel() for p in animal.network.parameters())


def test_equal_examples_agree_about_everything_and_opposite_ones_about_nothing():
    model = nn.Linear(4, 1, bias=False)
    one, size = torch.randn(1, 4), 4
    same = grad_sign(model, (one.repeat(6, 1), torch.zeros(6, 1)), lambda outputs, targets: outputs.mean())
    opposite = grad_sign(model, (torch.cat([one, -one]), torch.zeros(2, 1)), lambda outputs, targets: outputs.mean())
    assert (same.value, opposite.value) == (6 * size, 0)


def test_chunks_and_loops_give_the_same(monkeypatch):
    animal = zoo.made("convolutional")
    animal.network.double()
    batch = (animal.batch[0].double(), animal.batch[1])
    whole = grad_sign(animal.network, batch)
    monkeypatch.setattr(module, "_CHUNK", 3 * sum(p.numel() for p in animal.network.parameters()))
    chunked = grad_sign(animal.network, batch)

    def refused(*arguments):
        raise RuntimeError("vmap cannot")

    monkeypatch.setattr(module, "_vmapped", refused)
    looped = grad_sign(animal.network, batch)
    assert (whole.method, chunked.method, looped.method) == ("vmap", "vmap", "loop")
    assert whole.value == chunked.value == looped.value


def test_recurrent_network_is_measured_one_example_at_a_time_if_need_be():
    animal = zoo.made("lstm")
    found = grad_sign(animal.network, animal.batch)
    assert (found.status, found.method in ("vmap", "loop")) == ("ok", True)


def test_examples_do_not_see_each_other_through_normalisation():
    """With frozen statistics the batch decides the normalisation, and then each example has a gradient of its own."""
    animal = zoo.made("convolutional")
    images, labels = animal.batch
    order = torch.randperm(len(images))
    both = [grad_sign(animal.network.double(), (images[o].double(), labels[o])).value for o in (slice(None), order)]
    assert both[0] == both[1]


def test_gradients_that_are_no_numbers_leave_the_global_generator_alone():
    """The score ends in the middle of the examples, and nothing may be put back when what is left is collected."""
    animal = zoo.made("group_norm_only")
    images, labels = animal.batch
    images[0] = float("nan")
    found = grad_sign(animal.network, (images, labels))
    state = torch.manual_seed(7).get_state()
    del animal
    gc.collect()
    assert found.status == "not_finite"
    assert torch.equal(torch.get_rng_state(), state)
