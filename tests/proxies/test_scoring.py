"""Several proxies on one bench: failures kept apart, repeats merged."""

import math
from typing import ClassVar

import pytest
import torch
import zoo
from torch import nn

from automl import Batch, Criterion, Metric, Observer, Proxy, Unmeasurable, measure, merged
from automl.testing.randomness import untouched_randomness

CLASSIFICATION = Criterion.of("classification")


class Steady(Proxy):
    """The sum of the shared gradients."""

    declared = (Metric("steady", "max"),)
    needs = frozenset({"gradients"})

    def measure(self, bench, observer):
        return sum(float(gradient.sum()) for gradient in bench.gradients().values())


class Raising(Proxy):
    declared = (Metric("raising", "max"), Metric("raising_too", "min"))

    def measure(self, bench, observer):
        raise ValueError("two\nlines")


class Watching(Proxy):
    """Whose observer raises as it watches the pass of others."""

    declared = (Metric("watching", "max"),)
    needs = frozenset({"forward"})

    class Eye(Observer):
        def activation(self, activation, before):
            raise ZeroDivisionError("eye")

    def observer(self):
        return self.Eye()

    def measure(self, bench, observer):
        bench.shared("forward")
        return 1.0


class Random(Proxy):
    declared = (Metric("random", "min"),)
    bn_mode: ClassVar = "none"

    def measure(self, bench, observer):
        bench.method = "drawn"
        return float(torch.rand(1, generator=bench.generator("random")))


class Two(Proxy):
    """One metric that has a value, one that has none, and one that it forgets."""

    declared = (Metric("one", "max"), Metric("none", "max"), Metric("forgotten", "max"))

    def measure(self, bench, observer):
        return {"one": 2.0, "none": Unmeasurable("undefined", "because")}


class Infinite(Proxy):
    declared = (Metric("infinite", "max"),)

    def measure(self, bench, observer):
        return math.inf


class Picky(Proxy):
    declared = (Metric("picky", "max"),)
    accepts = frozenset({"images"})
    problems = frozenset({"regression"})
    needs_targets = True

    def measure(self, bench, observer):
        return 1.0


class Vandal(Proxy):
    """Changes what it can reach by the contract, draws from global generators, and raises."""

    declared = (Metric("vandal", "max"),)

    def measure(self, bench, observer):
        network = bench.fresh()
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.zero_()
        with bench.seeded("vandal"):
            network(*bench.batch.args)
            torch.rand(3)
            raise ValueError("vandal")


def animal(name="convolutional"):
    made = zoo.made(name)
    return made.network, Batch.of(made.batch)


def measured(*proxies, network=None, batch=None, criterion=CLASSIFICATION, **others):
    given_network, given_batch = animal()
    named = {proxy.declared[0].name: proxy for proxy in proxies}
    return measure(network or given_network, batch or given_batch, criterion, named, **others)


def test_a_proxy_that_raises_leaves_the_scores_of_the_others():
    alone = measured(Steady())["steady"].readings["steady"]
    found = measured(Raising(), Steady(), Watching(), Two(), Infinite())
    assert found["steady"].readings["steady"] == alone
    for name in ("raising", "raising_too"):
        failure = found["raising"].readings[name]
        assert (failure.status, failure.reason) == ("error", "ValueError: two lines")
    assert found["one"].readings["one"] == 2.0


def test_an_observer_that_raises_is_the_error_of_its_proxy_alone():
    found = measured(Watching(), Steady())
    failure = found["watching"].readings["watching"]
    assert (failure.status, failure.reason) == ("error", "ZeroDivisionError: eye")
    assert isinstance(found["steady"].readings["steady"], float)


def test_metrics_have_reasons_of_their_own():
    readings = measured(Two())["one"].readings
    assert (readings["none"].status, readings["none"].reason) == ("undefined", "because")
    assert (readings["forgotten"].status, readings["forgotten"].reason) == ("error", "the proxy did not report it")


def test_what_is_not_finite_is_no_value():
    assert measured(Infinite())["infinite"].readings["infinite"].status == "not_finite"


@pytest.mark.parametrize(
    ("name", "criterion", "keeps_targets", "reason"),
    [
        ("tabular", Criterion.of("regression"), True, "made for images, and the inputs are features"),
        ("convolutional", CLASSIFICATION, True, "made for regression, not for classification"),
        ("convolutional", Criterion.of(lambda outputs, targets: outputs.sum()), True, "not for a loss of your own"),
        ("convolutional", Criterion.of("regression"), False, "needs targets"),
    ],
)
def test_what_a_proxy_is_not_made_for_is_skipped_with_a_reason(name, criterion, keeps_targets, reason):
    network, batch = animal(name)
    batch = batch if keeps_targets else Batch(batch.args)
    failure = measured(Picky(), network=network, batch=batch, criterion=criterion)["picky"].readings["picky"]
    assert failure.status == "unsupported"
    assert reason in failure.reason


@pytest.mark.parametrize("at", [1, 2, 3, 4])
@pytest.mark.parametrize("stop", [KeyboardInterrupt, TimeoutError])
def test_what_check_raises_gets_through_wherever_it_is_called(at, stop):
    calls = []

    def check():
        calls.append(None)
        if len(calls) == at:
            raise stop("now")

    class Fresh(Steady):
        declared = (Metric("fresh", "max"),)

        def measure(self, bench, observer):
            bench.fresh()
            return 1.0

    with pytest.raises(stop, match="now"):
        measured(Steady(), Fresh(), Raising(), check=check)


def test_network_and_randomness_are_unchanged_though_proxies_raise():
    network, batch = animal()
    network.train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    inputs = batch.main.clone()
    with untouched_randomness():
        measured(Vandal(), Steady(), Raising(), Watching(), network=network, batch=batch)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(batch.main, inputs)
    assert not batch.main.requires_grad


def test_batch_statistics_of_one_example_are_undefined():
    network = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Linear(6, 3))
    batch = Batch.of((torch.randn(1, 4), torch.tensor([0])))
    failure = measured(Steady(), network=network, batch=batch)["steady"].readings["steady"]
    assert failure.status == "undefined"
    assert "one value per channel" in failure.reason


@pytest.mark.parametrize(
    "network", [nn.ReLU(), zoo.made("buffers_only").network, nn.Linear(6, 3).requires_grad_(False)]
)
def test_without_trainable_parameters_gradients_are_unsupported(network):
    batch = Batch.of((torch.randn(4, 6), torch.arange(4) % 3))
    assert measured(Steady(), network=network, batch=batch)["steady"].readings["steady"].status == "unsupported"


def test_repeats_are_merged_into_mean_and_spread():
    network, batch = animal()
    proxies = {"random": Random()}
    repeats = [measure(network, batch, CLASSIFICATION, proxies, seed=seed) for seed in (3, 4, 5)]
    values = [repeat["random"].readings["random"] for repeat in repeats]
    assert len(set(values)) == 3
    score = merged(proxies, repeats)["random"]
    assert score.values == tuple(values)
    assert score.value == pytest.approx(sum(values) / 3)
    assert score.spread == pytest.approx(torch.tensor(values, dtype=torch.float64).std().item())
    assert score.log_value == pytest.approx(math.log(score.value))
    assert (score.seeds, score.direction, score.method, score.bn_mode) == ((3, 4, 5), "min", "drawn", "none")
    assert measure(network, batch, CLASSIFICATION, proxies, seed=3)["random"].readings["random"] == values[0]


def test_one_repeat_that_fails_leaves_no_value():
    network, batch = animal()

    class Once(Proxy):
        declared = (Metric("once", "max"),)

        def measure(self, bench, observer):
            return 1.0 if bench.seed else Unmeasurable("singular", "seed 0")

    proxies = {"once": Once()}
    score = merged(proxies, [measure(network, batch, CLASSIFICATION, proxies, seed=seed) for seed in (1, 0)])["once"]
    assert (score.value, score.status, score.reason, score.spread) == (None, "singular", "seed 0", None)


def test_seconds_are_as_if_the_proxy_had_been_alone():
    found = measured(Steady(), Two())
    assert found["steady"].seconds > found["one"].seconds
    assert found["one"].seconds >= 0


@pytest.mark.parametrize(
    "ambience",
    [torch.no_grad, torch.inference_mode, lambda: torch.autocast("cpu", dtype=torch.bfloat16)],
    ids=["no_grad", "inference_mode", "autocast"],
)
def test_what_the_caller_has_switched_on_or_off_plays_no_part(ambience):
    network, (inputs, targets) = nn.Sequential(nn.Linear(4, 3)), (torch.randn(5, 4), torch.arange(5) % 3)
    alone = measure(network, Batch.of((inputs, targets)), CLASSIFICATION, {"steady": Steady()})["steady"].readings
    with ambience():
        batch = Batch.of((inputs.clone(), targets.clone()))
        within = measure(network, batch, CLASSIFICATION, {"steady": Steady()})["steady"].readings
    assert within == alone
    assert measure(network, batch, CLASSIFICATION, {"steady": Steady()})["steady"].readings == alone
    assert isinstance(alone["steady"], float)


def test_a_mistake_of_a_proxy_is_raised_where_plugins_are_strict(monkeypatch):
    monkeypatch.setenv("AUTOML_STRICT_PLUGINS", "1")
    network, batch = nn.Linear(3, 2), Batch.of((torch.ones(4, 3), torch.zeros(4, dtype=torch.long)))
    with pytest.raises(ValueError, match="two"):
        measure(network, batch, CLASSIFICATION, {"raising": Raising()})


def test_a_status_is_one_of_those_that_there_are():
    with pytest.raises(ValueError, match="unknown status 'singluar'; did you mean 'singular'"):
        Unmeasurable("singluar", "the matrix is")
