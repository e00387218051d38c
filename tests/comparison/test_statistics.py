import itertools
import math

import numpy as np
import pytest
from scipy import stats

from automl import derive_rng
from automl.comparison.statistics import average_ranks, friedman, holm, paired_tests, ranks, signed_rank
from automl.errors import UsageError

RNG = np.random.default_rng


def brute_force(differences):
    """All sign flips of the differences that are not zero; ranks counted among all, zeros included."""
    shared = stats.rankdata(np.abs(differences))
    kept = [(rank, value) for rank, value in zip(shared, differences, strict=True) if value != 0]
    mine = sum(rank for rank, value in kept if value > 0)
    sums = [
        sum(rank for (rank, _), is_positive in zip(kept, flips, strict=True) if is_positive)
        for flips in itertools.product((False, True), repeat=len(kept))
    ]
    below = sum(total <= mine + 1e-9 for total in sums) / len(sums)
    above = sum(total >= mine - 1e-9 for total in sums) / len(sums)
    return min(1.0, 2 * min(below, above))


def test_signed_ranks_equal_all_sign_flips_with_ties_and_zeros():
    rng = RNG(0)
    for _ in range(60):
        differences = rng.integers(-3, 4, int(rng.integers(1, 11))).astype(float)
        if np.any(differences):
            assert signed_rank(differences)[1] == pytest.approx(brute_force(differences), abs=1e-12)


@pytest.mark.parametrize("count", [5, 12, 25, 50])
def test_without_ties_signed_ranks_are_those_of_scipy(count):
    differences = RNG(count).normal(0.4, 1, count)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert signed_rank(differences) == (1, pytest.approx(expected, abs=1e-12))
    assert signed_rank(-differences) == (-1, pytest.approx(expected, abs=1e-12))


def test_with_many_seeds_the_normal_approximation_agrees():
    differences = np.round(RNG(3).normal(0.1, 1, 300), 1)
    differences[:80] = 0
    expected = stats.wilcoxon(differences, zero_method="pratt", correction=True).pvalue
    assert 0.001 < expected < 0.5
    assert signed_rank(differences)[1] == pytest.approx(expected, rel=0.05)


def test_seeds_that_all_tie_show_nothing():
    assert signed_rank([0.0] * 20) == (0, 1.0)


def test_the_null_hypothesis_is_rejected_as_often_as_promised():
    rng = RNG(4)
    rejected = [signed_rank(np.round(rng.normal(0, 1, 20), 1))[1] < 0.05 for _ in range(1000)]
    assert np.mean(rejected) == pytest.approx(0.05, abs=0.02)


def test_holm_by_hand():
    """Sorted 0.005, 0.01, 0.03, 0.04 by 4, 3, 2, 1: 0.02, 0.03, 0.06, 0.04, and the last is lifted to 0.06."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    assert holm([0.9, 0.8]) == (1.0, 1.0)
    assert holm([0.2]) == (0.2,)


def test_holm_rejects_what_the_step_down_procedure_rejects():
    rng = RNG(5)
    for _ in range(200):
        found = rng.random(6) ** 3
        rejected, allowed = set(), True
        for place, index in enumerate(np.argsort(found)):
            allowed = allowed and found[index] * (6 - place) < 0.05
            if allowed:
                rejected.add(index)
        assert {i for i, p in enumerate(holm(list(found))) if p < 0.05} == rejected


def test_ranks_share_ties_and_put_missing_values_last():
    values = np.array([[3.0, 1.0, math.nan], [2.0, 1.0, 5.0], [2.0, 9.0, 4.0]])
    assert ranks(values, "max").tolist() == [[1, 2.5, 3], [2.5, 2.5, 1], [2.5, 1, 2]]
    assert ranks(values, "min").tolist() == [[3, 1.5, 3], [1.5, 1.5, 2], [1.5, 3, 1]]


def test_average_ranks_are_seeded_and_their_intervals_are_scipys():
    values = RNG(6).normal(size=(4, 40)) + np.array([[0.0], [0.5], [1.0], [1.0]])
    found = average_ranks("abcd", values, "max", derive_rng(0, "ranks"))
    assert found == average_ranks("abcd", values, "max", derive_rng(0, "ranks"))
    assert [one.label for one in found] == list("abcd")
    assert sum(one.rank for one in found) == pytest.approx(10)
    for one, row in zip(found, ranks(values, "max"), strict=True):
        scipys = stats.bootstrap((row,), np.mean, method="percentile", rng=RNG(0)).confidence_interval
        assert (one.lower, one.upper) == pytest.approx((scipys.low, scipys.high), abs=0.04)
        assert one.lower < one.rank < one.upper


def test_every_pair_is_tested_and_the_better_is_told():
    rng = RNG(7)
    base = rng.normal(size=60)
    values = np.stack([base, base + 0.5 + 0.1 * rng.normal(size=60), base])
    tests = paired_tests(("plain", "good", "twin"), values, "max", RNG(0))
    assert [(test.first, test.second) for test in tests] == [("plain", "good"), ("plain", "twin"), ("good", "twin")]
    worse, same, better = tests
    assert worse.is_worse()
    assert not worse.is_better()
    assert better.is_better()
    assert (same.ties, same.p_adjusted, same.superiority, same.difference) == (60, 1.0, 0.5, 0.0)
    assert not same.is_better()
    assert not same.is_worse()
    assert better.p_adjusted == pytest.approx(3 * better.p_value)
    assert better.superiority == better.wins / 60


def test_what_is_better_follows_the_direction():
    values = np.stack([np.arange(20.0), np.arange(20.0) + 1])
    (more,) = paired_tests("ab", values, "max", RNG(0))
    (less,) = paired_tests("ab", values, "min", RNG(0))
    assert more.is_worse()
    assert less.is_better()
    assert more.difference == less.difference == -1.0
    assert (more.wins, less.wins) == (0, 20)


def test_a_reference_is_the_second_of_each_test():
    values = RNG(8).normal(size=(4, 30))
    tests = paired_tests("abcd", values, "max", RNG(0), reference="c")
    assert [(test.first, test.second) for test in tests] == [("a", "c"), ("b", "c"), ("d", "c")]
    expected = holm([stats.wilcoxon(values[i] - values[2], method="exact").pvalue for i in (0, 1, 3)])
    assert [test.p_adjusted for test in tests] == pytest.approx(expected)


def test_the_difference_has_a_paired_bootstrap_interval():
    rng = RNG(9)
    base = rng.normal(scale=5, size=80)
    values = np.stack([base + rng.normal(0.3, 0.5, 80), base])
    (test,) = paired_tests("ab", values, "max", RNG(0))
    scipys = stats.bootstrap((values[0] - values[1],), np.mean, method="percentile", rng=RNG(1)).confidence_interval
    assert (test.lower, test.upper) == pytest.approx((scipys.low, scipys.high), abs=0.01)
    assert test.difference == pytest.approx(np.mean(values[0] - values[1]))
    assert test.lower < test.difference < test.upper


def test_seeds_that_found_nothing_lose_and_leave_no_mean():
    values = np.array([[1.0, 2.0, math.nan, math.nan], [0.0, 1.0, 0.0, math.nan]])
    (test,) = paired_tests("ab", values, "max", RNG(0))
    assert (test.wins, test.ties, test.losses) == (2, 1, 1)
    assert math.isnan(test.difference)
    assert math.isnan(test.lower)
    assert 0 < test.p_value <= 1


def test_friedman_is_scipys():
    values = np.round(RNG(10).normal(size=(5, 30)) + np.arange(5)[:, None] / 4, 1)
    found, expected = friedman(values, "max"), stats.friedmanchisquare(*values)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue))
    assert friedman(values[:2], "max") is None
    assert friedman(np.ones((4, 6)), "max").p_value == 1.0


def test_labels_and_values_must_fit():
    for labels, values in (
        ("ab", np.ones((3, 4))),
        ("aa", np.ones((2, 4))),
        ("ab", np.ones((2, 0))),
        ("a", np.ones(4)),
    ):
        with pytest.raises(UsageError, match="one row of seeds per strategy"):
            average_ranks(labels, values, "max", RNG(0))
    with pytest.raises(UsageError, match="'z' is none of"):
        paired_tests("ab", np.ones((2, 4)), "max", RNG(0), reference="z")
