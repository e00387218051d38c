"""Rank correlations against SciPy and brute force, ties included."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from automl.correlation.statistics import (
    Estimate,
    count_of,
    estimate,
    interval,
    kendall,
    kendall_resamples,
    precision_at,
    resampled,
    spearman,
    spearman_resamples,
    top,
)


def scores(seed: int, size: int = 40, levels: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return two related scores; with few ``levels`` both have many ties."""
    rng = np.random.default_rng(seed)
    a = rng.normal(size=size)
    b = a + rng.normal(size=size)
    return (a, b) if levels is None else (np.round(a * levels), np.round(b * levels))


@pytest.mark.parametrize("levels", [None, 1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_correlations_are_those_of_scipy(seed, levels):
    a, b = scores(seed, levels=levels)
    assert kendall(a, b) == pytest.approx(stats.kendalltau(a, b).statistic, abs=1e-12)
    assert spearman(a, b) == pytest.approx(stats.spearmanr(a, b).statistic, abs=1e-12)


def test_kendall_is_tau_b_by_counting_pairs():
    a, b = scores(7, 25, levels=1)
    agree = tied_a = tied_b = 0
    for i, j in itertools.combinations(range(len(a)), 2):
        agree += int(np.sign(a[i] - a[j]) * np.sign(b[i] - b[j]))
        tied_a += a[i] == a[j]
        tied_b += b[i] == b[j]
    pairs = len(a) * (len(a) - 1) / 2
    assert kendall(a, b) == pytest.approx(agree / math.sqrt((pairs - tied_a) * (pairs - tied_b)), abs=1e-12)


@pytest.mark.parametrize("limit", [2_000, 10])
@pytest.mark.parametrize("levels", [None, 1])
def test_resamples_are_those_of_drawing_one_by_one(levels, limit, monkeypatch):
    monkeypatch.setattr("automl.correlation.statistics._MATRIX_LIMIT", limit)
    a, b = scores(1, levels=levels)
    counts = resampled(len(a), 60, np.random.default_rng(0))
    drawn = [np.repeat(np.arange(len(a)), row) for row in counts]
    by_tau = [stats.kendalltau(a[rows], b[rows]).statistic for rows in drawn]
    by_rho = [stats.spearmanr(a[rows], b[rows]).statistic for rows in drawn]
    np.testing.assert_allclose(kendall_resamples(a, b, counts), by_tau, atol=1e-6)
    np.testing.assert_allclose(spearman_resamples(a, b, counts), by_rho, atol=1e-12)


def test_resamples_draw_as_many_as_there_are():
    counts = resampled(30, 200, np.random.default_rng(0))
    assert counts.shape == (200, 30)
    assert set(counts.sum(axis=1)) == {30}


def test_rows_that_are_left_out_do_not_count():
    a, b = scores(2)
    counts = resampled(len(a), 50, np.random.default_rng(1))
    known = np.arange(len(a)) % 3 > 0
    drawn = [np.repeat(np.flatnonzero(known), row[known]) for row in counts]
    expected = [stats.spearmanr(a[rows], b[rows]).statistic for rows in drawn]
    np.testing.assert_allclose(spearman_resamples(a[known], b[known], counts[:, known]), expected, atol=1e-12)


def test_a_resample_without_variety_has_no_value():
    counts = np.array([[5, 0, 0], [2, 2, 1]])
    a, b = np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.5])
    assert np.isnan(kendall_resamples(a, b, counts)).tolist() == [True, False]
    assert np.isnan(spearman_resamples(a, b, counts)).tolist() == [True, False]


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rho, size, hits = 0.6, 80, 0
    truth = 6 / math.pi * math.asin(rho / 2)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a = rng.normal(size=size)
        b = rho * a + math.sqrt(1 - rho**2) * rng.normal(size=size)
        low, high = interval(spearman_resamples(a, b, resampled(size, 300, rng)))
        hits += low <= truth <= high
    assert 0.88 <= hits / 200 <= 0.99


@pytest.mark.parametrize("correlate", [kendall, spearman])
def test_what_is_not_defined_is_none_and_not_nan(correlate):
    three = np.array([1.0, 2.0, 3.0])
    assert correlate(three, np.ones(3)) is None
    assert correlate(np.ones(3), three) is None
    assert correlate(three[:2], three[:2]) is None
    assert correlate(three, three) == 1


def test_an_estimate_of_nothing_computes_nothing():
    assert estimate(None, lambda: pytest.fail("computed")) is None
    assert estimate(0.5, lambda: np.array([math.nan, math.nan, 1.0])).value == 0.5


def test_an_interval_needs_more_than_half_of_the_resamples():
    assert all(map(math.isnan, interval(np.array([1.0, math.nan]))))
    assert interval(np.array([1.0, 1.0, math.nan])) == (1.0, 1.0)
    assert not Estimate(0.1, math.nan, math.nan).excludes_zero


def test_the_best_tenth_takes_ties_with_the_last_one():
    assert top(np.arange(20.0), 0.1).sum() == 2
    assert top(np.arange(21.0), 0.1).sum() == 3
    assert top(np.array([1.0, 1.0, 1.0, 0.0]), 0.1).sum() == 3


def test_precision_without_ties_counts_what_the_best_share():
    a, b = scores(3)
    for count in (1, 4, 10, 40):
        best = [set(np.argsort(-each)[:count]) for each in (a, b)]
        assert precision_at(a, b, count) == pytest.approx(len(best[0] & best[1]) / count)


def test_precision_with_ties_is_the_mean_over_their_orders():
    a, b = np.array([2.0, 1, 1, 1, 0]), np.array([0.0, 3, 3, 1, 3])
    for count in (1, 2, 3, 4):
        shares = []
        for order in itertools.permutations(range(5)):
            for other in itertools.permutations(range(5)):
                first = sorted(range(5), key=lambda i, order=order: (-a[i], order[i]))[:count]
                second = sorted(range(5), key=lambda i, other=other: (-b[i], other[i]))[:count]
                shares.append(len(set(first) & set(second)) / count)
        assert precision_at(a, b, count) == pytest.approx(np.mean(shares))


def test_shares_are_rounded_up_and_sizes_stay_within_the_sample():
    assert [count_of("10%", size) for size in (1, 10, 11, 500)] == [1, 1, 2, 50]
    assert (count_of("20", 7), count_of("100%", 7), count_of("0.1%", 7)) == (7, 7, 1)
