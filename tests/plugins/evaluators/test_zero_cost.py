"""The evaluator of proxies, and the call that needs no study."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from automl import Architecture, Candidate, ComponentSpec, ConfigurationError, Context, SearchSpace, derive_seed
from automl.options import parse_options
from automl.testing import EvaluatorSuite
from automl.testing.problems import ConditionalSpace, TinyTask
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators.zero_cost import ZeroCost, ZeroCostOptions, make_proxies, score
from automl_plugins.proxies.grad_norm import GradNorm


class TestRepeatedAndTimed(EvaluatorSuite):
    def make(self):
        return ZeroCost(
            ZeroCostOptions(proxies=["te_nas", "snip", "params"], batch_size=6, repeats=2, spread=True, timings=True)
        )


class Linear(SearchSpace):
    """One network, without activations."""

    def decide(self, choose):
        return None

    def build(self, blueprint, task):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def candidate():
    space = ConditionalSpace()
    return Candidate(space, space.sample(np.random.default_rng(0)))


def evaluated(proxies, which=None, context=None, **options):
    remarks = {}
    context = context or Context(TinyTask(), seed=3, remark=remarks.__setitem__)
    evaluator = ZeroCost(ZeroCostOptions(proxies=proxies, **{"batch_size": 6, **options}))
    return evaluator.evaluate(which or candidate(), context), remarks


def by_hand(proxy, seed, batch_seed=None, **options):
    network = candidate().build(TinyTask(), seed)
    batch = labelled_batch(TinyTask(), 6, seed if batch_seed is None else batch_seed, **options)
    return score(network, batch, TinyTask(), proxies=(proxy,), seeds=(seed,))[proxy].value


@pytest.mark.parametrize("proxy", ["grad_norm", "naswot", "zen", "params"])
def test_metrics_are_those_of_the_network_on_a_balanced_batch(proxy):
    found, remarks = evaluated([proxy])
    value = by_hand(proxy, 3)
    assert found.get(proxy) == value
    assert (value is None) == (proxy in remarks)


def test_a_random_batch_is_another():
    found, _ = evaluated(["grad_norm"], sampling="random")
    assert found["grad_norm"] == by_hand("grad_norm", 3, balanced=False)
    assert found["grad_norm"] != evaluated(["grad_norm"])[0]["grad_norm"]


def test_every_repeat_has_a_network_and_a_batch_of_its_own():
    found, _ = evaluated(["grad_norm"], repeats=3, spread=True)
    values = [by_hand("grad_norm", seed) for seed in (3, derive_seed(3, "repeat", 1), derive_seed(3, "repeat", 2))]
    assert len(set(values)) == 3
    assert found["grad_norm"] == pytest.approx(np.mean(values))
    assert found["grad_norm_spread"] == pytest.approx(np.std(values, ddof=1))


def test_what_cannot_be_measured_is_left_out_and_remarked():
    found, remarks = evaluated(["naswot", "params"], Candidate(Linear(), Architecture.of({})))
    assert remarks["naswot"].startswith("unsupported: the network executes no activation")
    assert set(remarks) == {"naswot"}
    assert set(found) == {"params", "zero_cost_time"}


def test_several_proxies_find_what_each_finds_alone():
    names = ["grad_norm", "snip", "plain", "fisher", "jacob_cov", "naswot", "swap", "synflow", "zico"]
    together, _ = evaluated(names)
    for name in names:
        assert together[name] == evaluated([name])[0][name], name


def test_what_is_shared_is_computed_once():
    calls = []

    class Counted(nn.Linear):
        def forward(self, inputs):
            calls.append(len(inputs))
            return super().forward(inputs)

    network = nn.Sequential(Counted(4, 5), nn.ReLU(), nn.Linear(5, 3))
    batch = (torch.randn(9, 4), torch.arange(9) % 3)
    names = ("grad_norm", "snip", "plain", "fisher", "jacob_cov", "epe_nas", "naswot", "swap", "linear_regions")
    found = score(network, batch, proxies=names)
    assert calls == [9]
    assert all(one.status in ("ok", "singular") for one in found.values())


def test_timings_and_spreads_are_declared_where_they_are_asked_for():
    def names(**options):
        return [m.name for m in ZeroCost(ZeroCostOptions(proxies=["snip", "te_nas"], **options)).metrics(TinyTask())]

    own = ["snip", "te_nas_condition", "te_nas_regions"]
    assert names() == [*own, "zero_cost_time"]
    assert names(spread=True) == names()
    assert names(repeats=2, spread=True) == [*own, *(f"{name}_spread" for name in own), "zero_cost_time"]
    assert names(timings=True) == [*own, "snip_time", "te_nas_time", "zero_cost_time"]


def test_proxies_are_listed_with_commas_or_as_tables_with_options():
    written = parse_options(ZeroCost, "zero_cost", {"proxies": "naswot, zen"})
    assert [spec.name for spec in written.proxies] == ["naswot", "zen"]
    tables = parse_options(ZeroCost, "zero_cost", {"proxies": ["naswot", {"name": "zen", "repeats": 2}]})
    made = make_proxies(tables.proxies)
    assert made["zen"].options.repeats == 2


@pytest.mark.parametrize("wrong", ["naswott", "naswot,,zen", "", {"name": "zen", "repeat": 2}])
def test_unknown_proxies_and_options_are_refused_before_anything_runs(wrong):
    with pytest.raises(ConfigurationError):
        ZeroCost(parse_options(ZeroCost, "zero_cost", {"proxies": wrong if isinstance(wrong, str) else [wrong]}))


def test_a_proxy_that_is_listed_twice_runs_once_unless_its_options_differ():
    assert list(make_proxies(["snip", "params", "snip"])) == ["snip", "params"]
    with pytest.raises(ConfigurationError, match="lists zen twice"):
        make_proxies(["zen", ComponentSpec(name="zen", options={"repeats": 2})])


def test_the_cache_knows_the_code_of_the_proxies_that_run():
    snip, both = (ZeroCost(ZeroCostOptions(proxies=names)).digest() for names in (["snip"], ["snip", "grasp"]))
    assert snip != both
    assert snip == ZeroCost(ZeroCostOptions(proxies=["snip"])).digest()


def test_an_interruption_ends_it():
    class Stop(BaseException):
        pass

    def stop():
        raise Stop

    with pytest.raises(Stop):
        evaluated(["snip"], context=Context(TinyTask(), seed=3, check=stop))


class TestScore:
    network, batch = (
        nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)),
        (torch.randn(9, 4), torch.arange(9) % 3),
    )

    def test_a_result_says_how_it_came_about(self):
        [one] = score(self.network, self.batch, proxies=("grad_norm",), seeds=(1, 2)).values()
        assert (one.name, one.proxy, one.direction, one.status, one.bn_mode) == (
            "grad_norm", "grad_norm", "max", "ok", "batch",
        )  # fmt: skip
        assert one.seeds == (1, 2)
        assert one.values == (one.value, one.value)
        assert one.spread == 0
        assert one.log_value == pytest.approx(math.log(one.value))
        assert one.passes == ("gradients",)
        assert one.seconds > 0

    def test_seeds_are_those_of_what_is_drawn(self):
        images = torch.randn(4, 3, 8, 8)
        network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        both = score(network, images, proxies=("zen",), seeds=(0, 1))["zen"]
        alone = [score(network, images, proxies=("zen",), seeds=(seed,))["zen"].value for seed in (0, 1)]
        assert both.values == tuple(alone)
        assert both.spread == pytest.approx(abs(alone[0] - alone[1]) / math.sqrt(2))

    def test_a_logarithm_is_not_taken_twice(self):
        one = score(self.network, self.batch, proxies=("synflow",))["synflow"]
        assert one.log_value == one.value

    def test_the_loss_may_be_your_own(self):
        def doubled(outputs, targets):
            return 2 * nn.functional.cross_entropy(outputs, targets)

        norms = [score(self.network, self.batch, loss, proxies=("grad_norm",)) for loss in (doubled, "classification")]
        assert norms[0]["grad_norm"].value == pytest.approx(2 * norms[1]["grad_norm"].value)

    def test_without_a_seed_there_is_nothing_to_measure(self):
        with pytest.raises(ConfigurationError, match="seeds"):
            score(self.network, self.batch, seeds=())

    def test_a_class_of_ones_own_is_named_by_where_it_lives(self):
        spec = f"{GradNorm.__module__}:GradNorm"
        assert score(self.network, self.batch, proxies=(spec,))["grad_norm"].status == "ok"
