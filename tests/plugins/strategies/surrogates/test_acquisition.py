import numpy as np
import pytest

from automl_plugins.strategies._surrogates.acquisition import confidence_bound, expected_improvement, thompson


@pytest.mark.parametrize(("mean", "deviation", "best"), [(0.0, 1.0, 0.0), (0.3, 0.5, 0.1), (-1.0, 2.0, -2.5)])
def test_expected_improvement_is_that_of_simulation(mean, deviation, best):
    losses = np.random.default_rng(0).normal(mean, deviation, 1_000_000)
    gains = np.maximum(best - losses, 0)
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)[0]
    assert found == pytest.approx(gains.mean(), abs=5 * gains.std() / 1000)


def test_expected_improvement_without_spread_is_the_improvement():
    found = expected_improvement(np.array([1.0, 2.0, 3.0]), np.zeros(3), 2.0)
    assert found.tolist() == [1.0, 0.0, 0.0]


def test_expected_improvement_stays_finite_far_from_the_best():
    found = expected_improvement(np.array([1e6, 40.0, -1e6]), np.array([1e-9, 1.0, 1e-9]), 0.0)
    assert np.isfinite(found).all()
    assert found[0] == 0
    assert found[2] == 1e6


def test_the_bound_prefers_low_means_and_what_is_unknown():
    worth = confidence_bound(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 4.0]), 0.5)
    assert worth.tolist() == [0.0, -0.5, 1.0]


def test_thompson_sampling_draws_each_candidate_from_its_own_distribution():
    mean, deviation = np.repeat([1.0, -2.0], 50_000), np.repeat([0.5, 0.0], 50_000)
    worth = thompson(mean, deviation, np.random.default_rng(0))
    assert worth[:50_000].mean() == pytest.approx(-1.0, abs=0.01)
    assert worth[:50_000].std() == pytest.approx(0.5, abs=0.01)
    assert (worth[50_000:] == 2.0).all()
