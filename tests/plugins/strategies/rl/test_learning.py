import itertools
import math

import numpy as np
import pytest

from automl import Categorical
from automl_plugins.strategies._rl.factored import FactoredPolicy
from automl_plugins.strategies._rl.learning import Baseline, Learner, Rule, Sample, clipped_credit, importance
from automl_plugins.strategies._rl.optimiser import Adam, Ascent
from automl_plugins.strategies._rl.policy import Replay
from automl_plugins.strategies._rl.presets import Settings

DECISIONS = [Categorical("x", "x", (0, 1, 2)), Categorical("y", "y", (0, 1))]


def learner(rule=None, **settings):
    chosen = Settings(**{"optimiser": "ascent", "learning_rate": 0.5, **settings})
    return Learner(FactoredPolicy(chosen, 0), chosen, rule or Rule())


def sample(policy, number, reward, version=0, values=None, log_probs=None, entropy=1.0):
    values = values or {"x": number % 3, "y": number % 2}
    found = Replay(policy, DECISIONS, values).log_probs
    return Sample(number, DECISIONS, values, log_probs or found, entropy, version, reward)


def tables(found):
    return np.concatenate([found.policy.parameter(name) for name in "xy"])


def learn(found, rewards, failure=None):
    """Update after each reward, or batch of rewards."""
    number = itertools.count()
    for batch in rewards:
        samples = [sample(found.policy, next(number), reward, found.version) for reward in np.atleast_1d(batch)]
        found.update(samples, failure, found.version)
    return found


def test_the_baseline_is_a_bias_corrected_average_of_what_came_before():
    rewards, decay = [3.0, 5.0, -1.0, 2.0], 0.9
    baseline = Baseline(decay)
    advantages = [baseline.advantage(reward) for reward in rewards]
    assert advantages[0] == 0
    for t in (1, 2, 3):
        weights = [decay ** (t - 1 - k) for k in range(t)]
        average = np.average(rewards[:t], weights=weights)
        assert advantages[t] == pytest.approx(rewards[t] - average)


def test_updating_the_baseline_first_only_scales_advantages():
    """R_t - b_t = μ D_{t-1} / D_t (R_t - b_{t-1}), so the published order differs by a positive factor."""
    rewards, decay = np.random.default_rng(0).normal(size=20), 0.9
    baseline, total, weight = Baseline(decay), 0.0, 0.0
    for reward in rewards:
        advantage = baseline.advantage(reward)
        before = weight
        total, weight = decay * total + (1 - decay) * reward, decay * weight + (1 - decay)
        assert reward - total / weight == pytest.approx(decay * before / weight * advantage, abs=1e-12)


@pytest.mark.parametrize("optimiser", ["ascent", "adam"])
def test_a_constant_added_to_every_reward_changes_nothing(optimiser):
    rewards = np.random.default_rng(0).normal(size=30)
    plain = learn(learner(optimiser=optimiser), rewards)
    shifted = learn(learner(optimiser=optimiser), rewards + 7.0)
    assert tables(shifted) == pytest.approx(tables(plain), abs=1e-6)
    assert np.ptp(tables(plain)) > 0.01


def test_one_step_of_plain_ascent_by_hand():
    found = learner(initial_logits=0.0)
    policy = found.policy
    found.update([sample(policy, 0, 1.0)], None, 0)
    assert (tables(found) == 0).all(), "the first sample has no advantage"
    found.update([sample(policy, 1, 3.0, 1)], None, 1)
    assert tables(found) == pytest.approx(0.5 * 2.0 * np.array([-1 / 3, 2 / 3, -1 / 3, -1 / 2, 1 / 2]))


def test_a_batch_is_averaged_and_batches_can_be_added_up():
    batch = [1.0, 3.0, 2.0, 6.0]
    averaged = learn(learner(samples_per_step=4), [batch])
    added = learn(learner(samples_per_step=2, accumulate=2), [batch])
    one, two = tables(averaged) - untouched(), tables(added) - untouched()
    assert two == pytest.approx(2 * one)


def untouched():
    found = learner()
    sample(found.policy, 0, 0.0)
    return tables(found)


@pytest.mark.parametrize("algorithm", ["reinforce", "ppo"])
def test_the_order_in_which_a_batch_is_told_does_not_matter(algorithm):
    results = []
    for order in itertools.permutations(range(4)):
        found = learner(samples_per_step=4, algorithm=algorithm, optimiser="adam", entropy_weight=0.01)
        samples = [sample(found.policy, number, [0.3, None, 0.9, 0.1][number]) for number in range(4)]
        found.update([samples[place] for place in order], 0.1, 0)
        results.append(tuple(tables(found)))
    assert len(set(results)) == 1


def test_failures_take_the_reward_that_they_are_given_or_teach_nothing():
    given = learn(learner(), [1.0, 0.2])
    replaced = learner()
    learn(replaced, [1.0])
    replaced.update([sample(replaced.policy, 1, None, 1)], 0.2, 1)
    assert tables(replaced) == pytest.approx(tables(given), abs=0)
    silent = learner()
    silent.update([sample(silent.policy, 0, None)], None, 0)
    assert silent.version == 0
    assert (tables(silent) == untouched()).all()


def test_late_samples_are_weighted_by_their_likelihood_ratio():
    def moved(staleness, shift, rule=None):
        found = learner(rule)
        learn(found, [1.0])
        before = tables(found)
        late = sample(found.policy, 1, 2.0, version=1 - staleness)
        late = sample(found.policy, 1, 2.0, 1 - staleness, log_probs=[log - shift for log in late.log_probs])
        found.update([late], None, 1)
        return tables(found) - before

    whole = moved(0, 0.3)
    assert moved(1, 0.3) == pytest.approx(whole * math.exp(0.6))
    assert moved(1, -0.3) == pytest.approx(whole * math.exp(-0.6))
    assert moved(1, 5.0) == pytest.approx(whole * 2)
    assert moved(1, 0.3, Rule(max_staleness=1)) == pytest.approx(whole)
    assert importance(-math.inf) == 0


@pytest.mark.parametrize("advantage", [1.5, -1.5])
@pytest.mark.parametrize("log_ratio", [-1.0, -0.25, -0.1, 0.0, 0.1, 0.25, 0.6])
def test_ppo_follows_the_derivative_of_its_clipped_objective(advantage, log_ratio):
    def objective(at):
        ratio = math.exp(at)
        return min(ratio * advantage, min(1.2, max(0.8, ratio)) * advantage)

    expected = (objective(log_ratio + 1e-6) - objective(log_ratio - 1e-6)) / 2e-6
    assert clipped_credit(log_ratio, advantage, 0.2) == pytest.approx(expected, abs=1e-5)


def test_ppo_stops_where_the_clipping_holds():
    """Many epochs on one batch: plain REINFORCE would move on and on."""
    few, many = (learner(Rule(ppo_epochs=n), algorithm="ppo", learning_rate=0.2) for n in (40, 400))
    for found in (few, many):
        found.update([sample(found.policy, 0, 0.0), sample(found.policy, 1, 1.0)], None, 0)
    assert (tables(few) == tables(many)).all()
    assert np.ptp(tables(few)) > 0.05


def test_entropy_counts_in_the_loss_or_in_the_reward():
    flat = learn(learner(entropy_weight=5.0, initial_logits=1.0), [0.0] * 200)
    assert np.ptp(tables(flat)[:3]) < 0.05, "nothing but entropy to gain"
    start = learner(Rule(entropy_in_reward=True), entropy_weight=0.5)
    entropies = [1.0, 0.2]
    for number, entropy in enumerate(entropies):
        start.update([sample(start.policy, number, 1.0, number, entropy=entropy)], None, number)
    assert tables(start) == pytest.approx(tables(learn(learner(), [1.5, 1.1])))


def test_adam_is_adam():
    """Against Algorithm 1 of Kingma and Ba, written out."""
    rng, one, two, rate, epsilon = np.random.default_rng(0), 0.9, 0.999, 0.01, 1e-8
    adam, parameter, expected = Adam(rate), np.zeros(3), np.zeros(3)
    m = v = np.zeros(3)
    for t in range(1, 30):
        gradient = rng.normal(size=3)
        adam.step("w", parameter, gradient)
        m, v = one * m + (1 - one) * gradient, two * v + (1 - two) * gradient**2
        expected = expected + rate * (m / (1 - one**t)) / (np.sqrt(v / (1 - two**t)) + epsilon)
    assert parameter == pytest.approx(expected, rel=1e-12)
    Ascent(0.5).step("w", parameter, np.ones(3))
    assert parameter == pytest.approx(expected + 0.5)
