"""On a space that can be enumerated, everything that a policy says can be checked against sums over the whole space."""

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from automl import EnumeratingChooser, SearchSpace
from automl_plugins.strategies._rl.distributions import Bonus
from automl_plugins.strategies._rl.factored import FactoredPolicy
from automl_plugins.strategies._rl.policy import Limit, PolicyChooser, Replay
from automl_plugins.strategies._rl.presets import Settings
from automl_plugins.strategies._rl.recurrent import RecurrentPolicy

SETTINGS = Settings(
    optimiser="ascent",
    learning_rate=1.0,
    units=3,
    layers=2,
    initial_range=0.7,
    initial_logits=0.7,
    tanh_constant=2.5,
    temperature=2.0,
    subset_gain=2.0,
    index_prior=1 / 6,
)


class Net(SearchSpace[tuple]):
    """Every kind of decision that can be enumerated, with branches, bins, shared roles and decisions of one answer."""

    def decide(self, choose):
        depth = choose.integer("depth", 1, 3)
        found = []
        for i in range(depth):
            found.append(choose.subset(f"inputs_{i}", i + 1, smallest=1, largest=2, role="inputs"))
            if i < 2:
                found.append(choose.categorical(f"operation_{i}", ("a", "b"), role="operation"))
        found.append(choose.index(f"source@{depth}", depth, role="source"))
        if depth == 1:
            found.append(choose.integer("width", 1, 9, log=True))
            found.append(choose.index("again", 2, role="source"))
        return tuple(found)

    def build(self, blueprint, task):
        raise NotImplementedError


SPACE = Net()


def factored(**given):
    return FactoredPolicy(replace(SETTINGS, **given), 0, bins=4)


def lstm(**given):
    return RecurrentPolicy(replace(SETTINGS, **given), 0, bins=4)


def lstm_attention(**given):
    return RecurrentPolicy(replace(SETTINGS, **given), 0, bins=4, has_attention=True)


POLICIES = pytest.mark.parametrize("make", [factored, lstm, lstm_attention])


def everything():
    found, odometer = [], EnumeratingChooser()
    while True:
        found.append(SPACE.record(odometer))
        if not odometer.advance():
            return found


ALL = [(one, SPACE.decisions(one)) for one in everything()]


def log_prob(policy, pair):
    return math.fsum(Replay(policy, pair[1], pair[0]).log_probs)


def reward(architecture):
    return math.sin(sum(map(ord, str(architecture))))


SOME = ALL[::19]
"""Enough walks for a sum whose gradient can be checked; the identity holds for the sum over any set of walks."""


def expected_reward(policy):
    return sum(math.exp(log_prob(policy, pair)) * reward(pair[0]) for pair in SOME)


def names_of(policy):
    return list(policy._tables if isinstance(policy, FactoredPolicy) else policy._weights)


def test_the_space_has_what_it_is_to_have():
    kinds = {(decision.kind, decision.size == 1) for _, decisions in ALL for decision in decisions}
    assert kinds == {*itertools.product(("subset", "index"), (False, True)), ("integer", False), ("categorical", False)}
    assert len(ALL) > 100


@POLICIES
def test_probabilities_of_all_walks_add_up_to_one(make):
    assert sum(math.exp(log_prob(make(), pair)) for pair in ALL) == pytest.approx(1, abs=1e-9)


@POLICIES
def test_probabilities_add_up_to_one_under_a_limit(make):
    policy = make()
    limits = {
        Limit("depth", 2): {1, 2},
        Limit("depth", 0): {1},
        Limit("depth", 2, True): {2},
        Limit("depth", 9, True): {3},
    }
    for limit, depths in limits.items():
        policy.limit_to(limit)
        within = [pair for pair in ALL if pair[0]["depth"] in depths]
        assert sum(math.exp(log_prob(policy, pair)) for pair in within) == pytest.approx(1, abs=1e-9)


@POLICIES
def test_scores_add_up_to_nothing(make):
    """Σ π(a) ∇log π(a) = 0."""
    policy = make()
    shares = [math.exp(log_prob(policy, pair)) for pair in ALL]
    before = {name: policy.parameter(name).copy() for name in names_of(policy)}
    for share, (one, decisions) in zip(shares, ALL, strict=True):
        Replay(policy, decisions, one, is_learning=True).reinforce([share] * len(one), Bonus())
    policy.step()
    for name, values in before.items():
        assert policy.parameter(name) == pytest.approx(values, abs=1e-9)


@POLICIES
def test_the_policy_gradient_is_the_gradient_of_the_expected_reward(make):
    """Σ π(a) R(a) ∇log π(a), against central differences of E[R] in every weight."""
    policy = make()
    shares = [math.exp(log_prob(policy, pair)) * reward(pair[0]) for pair in SOME]
    before = {name: policy.parameter(name).copy() for name in names_of(policy)}
    rng, step, expected = np.random.default_rng(0), 1e-5, {}
    for name in before:
        weights = policy.parameter(name)
        for place in sorted(set(rng.integers(weights.size, size=1).tolist())):
            at = np.unravel_index(place, weights.shape)
            weights[at] = before[name][at] + step
            up = expected_reward(fresh(policy))
            weights[at] = before[name][at] - step
            expected[name, at] = (up - expected_reward(fresh(policy))) / (2 * step)
            weights[at] = before[name][at]
    fresh(policy)
    for share, (one, decisions) in zip(shares, SOME, strict=True):
        Replay(policy, decisions, one, is_learning=True).reinforce([share] * len(one), Bonus())
    policy.step()
    moved = {(name, at): float(policy.parameter(name)[at] - before[name][at]) for name, at in expected}
    assert moved == pytest.approx(expected, abs=1e-7)
    assert sum(abs(value) > 1e-4 for value in moved.values()) > len(moved) / 4


def fresh(policy):
    """Have a policy forget the distributions that it keeps for weights that only its own updates change."""
    policy.limit_to(Limit())
    return policy


@POLICIES
def test_stored_log_probabilities_are_recomputed_bit_for_bit(make):
    """By another copy of the policy, with or without gradients, after a trip through JSON."""
    policy, other, rng = make(), make(), np.random.default_rng(0)
    for number in range(20):
        chooser = PolicyChooser(policy, rng)
        one = SPACE.record(chooser)
        again = Replay(other, SPACE.decisions(one), one, is_learning=number % 2 == 0)
        assert json.loads(json.dumps(chooser.log_probs)) == again.log_probs
        assert chooser.entropy > 0


@POLICIES
def test_walks_are_drawn_as_often_as_they_are_said_to_be(make):
    policy, rng, draws = make(), np.random.default_rng(0), 400
    depths = np.bincount([SPACE.record(PolicyChooser(policy, rng))["depth"] for _ in range(draws)], minlength=4)
    for depth in (1, 2, 3):
        chance = sum(math.exp(log_prob(policy, pair)) for pair in ALL if pair[0]["depth"] == depth)
        assert abs(depths[depth] - draws * chance) < 5 * math.sqrt(draws * chance * (1 - chance))


@POLICIES
def test_the_order_in_which_decisions_are_first_met_does_not_matter(make):
    forward, backward = make(), make()
    found = [log_prob(forward, pair) for pair in ALL[:40]]
    assert [log_prob(backward, pair) for pair in reversed(ALL[:40])] == found[::-1]


def test_a_factored_policy_gives_every_name_a_table_of_its_own():
    policy = factored()
    for pair in ALL:
        log_prob(policy, pair)
    assert {"operation_0", "operation_1", "inputs_2", "source@2", "width"} <= set(names_of(policy))
    assert policy.parameter("width").shape == (4,)


def test_a_recurrent_policy_shares_weights_by_role():
    policy = lstm()
    for pair in ALL:
        log_prob(policy, pair)
    heads = [name for name in names_of(policy) if name.endswith("head")]
    assert sum(name.startswith("operation") for name in heads) == 1
    assert sum(name.startswith("inputs") for name in heads) == 2, "one each for two and three items"


def test_attention_has_no_head_for_what_it_attends_to():
    policy = lstm_attention()
    for pair in ALL:
        log_prob(policy, pair)
    assert not [name for name in names_of(policy) if name.startswith(("inputs", "source")) and name.endswith("head")]


def test_attention_depends_on_what_was_decided_before():
    """What the same question about the inputs of the third node is answered with, after other operations."""
    policy = lstm_attention(initial_range=2.0)
    by_history = {}
    for one, decisions in ALL:
        if one["depth"] == 3 and one["inputs_2"] == (0,) and one["inputs_1"] == (0,):
            place = [decision.name for decision in decisions].index("inputs_2")
            key = one["operation_0"], one["operation_1"]
            by_history[key] = Replay(policy, decisions, one).log_probs[place]
    assert len(by_history) == len(set(by_history.values())) == 4


@POLICIES
def test_a_parameter_that_no_sample_uses_stays_as_it_is(make):
    policy = make(optimiser="adam")
    for pair in ALL:
        log_prob(policy, pair)
    name = "width" if make is factored else next(name for name in names_of(policy) if name.startswith("width"))
    before = policy.parameter(name).copy()
    for one, decisions in ALL[-3:]:
        assert one["depth"] == 3
        Replay(policy, decisions, one, is_learning=True).reinforce([1.0] * len(one), Bonus(entropy=0.1))
        policy.step()
    assert (policy.parameter(name) == before).all()
