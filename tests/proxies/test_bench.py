"""The bench: one shared pass, private copies, randomness of its own."""

import threading

import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Bench, Criterion, Observer, Unmeasurable
from automl.testing.randomness import untouched_randomness


class Counting(nn.Module):
    """Counts its calls in a list that copies share."""

    def __init__(self):
        super().__init__()
        self.layer, self.dropout, self.norm = nn.Linear(4, 3), nn.Dropout(0.5), nn.BatchNorm1d(3)
        self.__dict__["calls"] = _Shared()

    def forward(self, features):
        self.calls.append(self.training)
        return self.norm(self.dropout(self.layer(features)))


class _Shared(list):
    def __deepcopy__(self, memo):
        return self


def bench_of(network, needs=(), batch=None, **others):
    batch = Batch.of((torch.randn(6, 4), torch.arange(6) % 3) if batch is None else batch)
    return Bench(network, batch, Criterion.of("classification"), needs=needs, **others)


def test_all_that_was_declared_is_found_by_one_pass():
    network = Counting()
    bench = bench_of(network, needs=("gradients", "jacobian"))
    assert bench.jacobian().shape == (6, 4)
    assert set(bench.gradients()) == {"layer.weight", "layer.bias", "norm.weight", "norm.bias"}
    assert bench.shared("forward").logits.shape == (6, 3)
    assert len(network.calls) == 1


def test_what_was_not_declared_takes_another_pass_that_nobody_watches():
    class Seeing(Observer):
        calls = 0

        def layer(self, name, module, output):
            self.calls += 1

    network, observer = Counting(), Seeing()
    bench = bench_of(network, needs=("gradients",), observers=(observer,))
    first = bench.gradients()
    assert bench.jacobian().shape == (6, 4)
    assert bench.gradients() is first
    assert (len(network.calls), observer.calls) == (2, 1)


def test_dropout_is_off_and_statistics_are_those_of_the_batch():
    network = Counting()
    network.train()
    bench = bench_of(network)
    logits = bench.shared("forward").logits
    torch.testing.assert_close(logits.mean(0), torch.zeros(3), atol=1e-6, rtol=0)
    assert torch.equal(logits, bench_of(network, batch=bench.batch).shared("forward").logits)
    assert torch.equal(network.norm.running_mean, torch.zeros(3))


def test_what_the_network_raises_is_raised_each_time_it_is_asked_for():
    network = Counting()
    bench = bench_of(network, batch=(torch.randn(6, 9), torch.arange(6) % 3), needs=("gradients",))
    for _ in range(2):
        with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
            bench.gradients()
    assert len(network.calls) == 1


def test_copies_are_private():
    network = zoo.made("convolutional").network
    network[0].weight.grad = torch.ones_like(network[0].weight)
    bench = bench_of(network, batch=zoo.made("convolutional").batch)
    copied = bench.fresh(dtype=torch.float64, init="normal")
    assert copied[0].weight.dtype == torch.float64
    assert copied[0].weight.grad is None
    assert not torch.equal(copied[0].weight.float(), network[0].weight)
    assert network[0].weight.grad is not None
    assert network.training
    assert not copied.training
    assert copied[1].training
    assert not bench.fresh("frozen")[1].training


def test_initialisation_depends_on_the_seed_alone():
    network = zoo.made("convolutional").network
    drawn = [bench_of(network, seed=seed).fresh(init="kaiming_fan_in")[0].weight for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_a_network_that_cannot_be_copied_has_a_status():
    network = nn.Linear(4, 3)
    network.kept = threading.Lock()
    bench = bench_of(network)
    with pytest.raises(Unmeasurable, match="cannot be copied"):
        bench.shared("forward")


def test_randomness_is_seeded_inside_and_restored_outside():
    bench = bench_of(nn.Linear(4, 3), seed=5)
    with untouched_randomness():
        with bench.seeded("one"):
            first = torch.rand(3)
        with bench.seeded("one"):
            again = torch.rand(3)
        with bench.seeded("two"):
            other = torch.rand(3)
        with pytest.raises(IndexError), bench.seeded("one"):
            torch.rand(3)[5]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.rand(2, generator=bench.generator("x")), torch.rand(2, generator=bench.generator("x")))


def test_gradients_of_another_batch_leave_the_shared_pass_alone():
    network = Counting()
    bench = bench_of(network, needs=("gradients",))
    half = bench.gradients_of(bench.batch.select(slice(0, 3)))
    assert not torch.equal(half["layer.weight"], bench.gradients()["layer.weight"])
    copied = bench.fresh()
    assert torch.equal(bench.gradients_of(bench.batch, copied)["layer.weight"], bench.gradients()["layer.weight"])
    with pytest.raises(Unmeasurable, match="needs targets"):
        bench.gradients_of(Batch.of(torch.randn(4, 4)))


def test_check_is_called_between_passes_and_may_end_it():
    calls = []

    def check():
        calls.append(None)
        if len(calls) == 3:
            raise KeyboardInterrupt

    bench = bench_of(Counting(), needs=("gradients", "jacobian"), check=check)
    with pytest.raises(KeyboardInterrupt):
        bench.jacobian()


def test_seconds_are_those_of_the_parts_that_were_needed():
    bench = bench_of(Counting(), needs=("gradients", "jacobian"))
    assert bench.seconds({"gradients"}) == 0.0
    bench.gradients()
    whole = bench.seconds({"forward", "gradients", "jacobian"})
    assert 0 < bench.seconds({"forward"}) < whole
