import itertools
import math

import numpy as np
import pytest

from automl_plugins.strategies._rl.distributions import Bernoullis, Bonus, Shaping, Softmax

SHAPINGS = [None, Shaping(2.5, 5.0), Shaping(1.5, 0.0, 2.0), Shaping(0.0, 3.0)]
SIZES = [(0, 5), (1, 5), (0, 4), (2, 3), (3, 3), (5, 5), (0, 0)]
PRIOR = np.array([-1.5, -1.0, -0.5, 0.25])
ALLOWED = np.array([True, False, True, True])


def softmaxes(raw):
    for shaping, prior, allowed in itertools.product(SHAPINGS, (None, PRIOR), (None, ALLOWED)):
        yield lambda at, s=shaping, p=prior, a=allowed: Softmax(at, s, p, a)


def sets(smallest, largest):
    return [one for size in range(smallest, largest + 1) for one in itertools.combinations(range(5), size)]


def slope(function, raw, step=1e-6):
    """Central differences."""
    found = np.zeros_like(raw)
    for i in range(len(raw)):
        up, down = raw.copy(), raw.copy()
        up[i], down[i] = up[i] + step, down[i] - step
        found[i] = (function(up) - function(down)) / (2 * step)
    return found


def test_softmax_is_normalised_and_masked_answers_never_come():
    raw = np.random.default_rng(0).normal(size=4)
    for make in softmaxes(raw):
        log_probs = [make(raw).log_prob(action) for action in range(4)]
        assert sum(map(math.exp, log_probs)) == pytest.approx(1, abs=1e-12)
    masked = Softmax(raw, allowed=ALLOWED)
    assert masked.log_prob(1) == -math.inf
    rng = np.random.default_rng(1)
    assert {masked.sample(rng) for _ in range(300)} == {0, 2, 3}
    assert np.isfinite(masked.gradient(0, 1.0, Bonus(entropy=1.0))).all()


@pytest.mark.parametrize("shaping", SHAPINGS)
@pytest.mark.parametrize(("smallest", "largest"), SIZES)
def test_sets_are_independent_choices_given_an_admissible_size(smallest, largest, shaping):
    raw = np.random.default_rng(0).normal(size=5)
    logits = raw if shaping is None else shaping(raw)[0]
    chances = 1 / (1 + np.exp(-logits))
    weights = {
        one: math.prod(chances[i] if i in one else 1 - chances[i] for i in range(5)) for one in sets(smallest, largest)
    }
    found = Bernoullis(raw, smallest, largest, shaping)
    for one, weight in weights.items():
        assert math.exp(found.log_prob(one)) == pytest.approx(weight / sum(weights.values()), rel=1e-10)
    logs = [found.log_prob(one) for one in weights]
    assert found.entropy == pytest.approx(-sum(math.exp(log) * log for log in logs), abs=1e-10)


def test_samples_of_sets_are_distributed_as_said():
    raw, rng = np.array([2.0, -1.0, 0.5, 0.0, -3.0]), np.random.default_rng(0)
    found, draws = Bernoullis(raw, 1, 3), 20_000
    counts = dict.fromkeys(sets(1, 3), 0)
    for _ in range(draws):
        counts[found.sample(rng)] += 1
    for one, count in counts.items():
        chance = math.exp(found.log_prob(one))
        assert abs(count - draws * chance) < 5 * math.sqrt(draws * chance) + 1


def test_samples_of_a_softmax_are_distributed_as_said():
    found, rng, draws = Softmax(np.array([1.0, 0.0, -2.0])), np.random.default_rng(0), 20_000
    counts = np.bincount([found.sample(rng) for _ in range(draws)], minlength=3)
    for action, count in enumerate(counts):
        chance = math.exp(found.log_prob(action))
        assert abs(count - draws * chance) < 5 * math.sqrt(draws * chance)


def test_gradients_of_a_softmax_are_those_of_finite_differences():
    raw = np.random.default_rng(2).normal(size=4)
    for make in softmaxes(raw):
        expected = slope(lambda at, m=make: 1.7 * m(at).log_prob(2) + 0.3 * m(at).entropy, raw)
        assert make(raw).gradient(2, 1.7, Bonus(entropy=0.3)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("shaping", SHAPINGS)
@pytest.mark.parametrize(("smallest", "largest"), SIZES)
def test_gradients_of_sets_are_those_of_finite_differences(smallest, largest, shaping):
    raw = np.random.default_rng(2).normal(size=5)
    chosen = sets(smallest, largest)[-1]

    def objective(at):
        found = Bernoullis(at, smallest, largest, shaping)
        chances = 1 / (1 + np.exp(-(at if shaping is None else shaping(at)[0])))
        divergence = chances * np.log(chances / 0.4) + (1 - chances) * np.log((1 - chances) / 0.6)
        return 1.7 * found.log_prob(chosen) + 0.3 * found.entropy - 0.8 * divergence.sum()

    gradient = Bernoullis(raw, smallest, largest, shaping).gradient(chosen, 1.7, Bonus(0.3, 0.8, 0.4))
    assert gradient == pytest.approx(slope(objective, raw), abs=1e-7)


def test_extreme_logits_stay_finite():
    for raw in (np.array([800.0, -800.0, 0.0]), np.full(3, -900.0)):
        for found, action in ((Softmax(raw), 1), (Bernoullis(raw, 1, 2), (1,))):
            assert math.isfinite(found.entropy)
            assert np.isfinite(found.gradient(action, 1.0, Bonus(0.1, 0.8))).all()
            found.sample(np.random.default_rng(0))


def test_the_published_bounds_on_logits():
    """ENAS on PTB: 2.5 tanh(l / 5); its macro space has a two-way softmax over -q and q, which is sigmoid(2q)."""
    assert Shaping(2.5, 5.0)(np.array([5.0]))[0] == pytest.approx(2.5 * math.tanh(1))
    q = 1.5 * math.tanh(0.7)
    chance = math.exp(q) / (math.exp(q) + math.exp(-q))
    assert math.exp(Bernoullis(np.array([0.7]), 0, 1, Shaping(1.5, 0.0, 2.0)).log_prob((0,))) == pytest.approx(chance)
