import math

import numpy as np
import pytest
from scipy import stats

from automl.comparison.curves import Run, curves_of
from automl.comparison.figures import counts_in, figure_names, figures_of
from automl.errors import UsageError

FIRST = ((1, 5, 5), (2, 2, 6), (3, 4, 4), (0, 0, 7))
SECOND = ((1, 1, 1), (2, 2, 2), (3, 3, 3), (0, 1, 1))


def curves(label, rows, direction="max"):
    return curves_of(label, [Run(seed, row, row) for seed, row in enumerate(rows)], direction)


BOTH = (curves("a", FIRST), curves("b", SECOND))


def test_names_are_known_before_anything_runs():
    assert set(figures_of(BOTH, (2, 3), target=4.0)) == set(figure_names(["a", "b"], (2, 3), has_target=True))
    assert set(figures_of(BOTH, (3,))) == set(figure_names(["a", "b"], (3,), has_target=False))


def test_values_are_those_of_the_column():
    found = figures_of(BOTH, (2,))
    assert (found["a.mean@2"], found["a.median@2"]) == (11 / 4, 3.0)
    assert found["a.sd@2"] == pytest.approx(np.std([5, 2, 4, 0], ddof=1))


def test_the_target_is_reached_by_a_share_of_the_seeds():
    found = figures_of(BOTH, (1, 2, 3), target=5.0)
    assert [found[f"a.reached@{count}"] for count in (1, 2, 3)] == [0.0, 0.25, 0.75]
    assert found["a.median_evaluations_to_target"] == 3
    assert math.isinf(found["b.median_evaluations_to_target"])


def test_ranks_are_averages_over_the_seeds_at_the_end_and_on_the_way():
    found = figures_of(BOTH, (1, 2))
    assert (found["a.rank@1"], found["b.rank@1"]) == (1.5, 1.5)
    assert (found["a.rank@2"], found["b.rank@2"]) == pytest.approx(((1 + 1.5 + 1 + 2) / 4, (2 + 1.5 + 2 + 1) / 4))
    assert (found["a.rank"], found["b.rank"]) == (1.0, 2.0)


def test_pairs_are_compared_both_ways_round():
    found = figures_of(BOTH, (3,))
    assert found["a-b.difference@3"] == -found["b-a.difference@3"] == pytest.approx((4 + 4 + 1 + 6) / 4)
    assert found["a-b.p@3"] == found["b-a.p@3"] == pytest.approx(stats.wilcoxon([4, 4, 1, 6]).pvalue)


def test_p_values_are_corrected_over_all_that_are_tested_against_one():
    rng = np.random.default_rng(0)
    rows = {label: rng.normal(shift, size=(9, 1)).tolist() for label, shift in (("a", 0.0), ("b", 1.0), ("c", 2.0))}
    found = figures_of([curves(label, values) for label, values in rows.items()], (1,))
    for against in rows:
        plain = {
            label: stats.wilcoxon(np.subtract(rows[label], rows[against]).ravel()).pvalue
            for label in rows
            if label != against
        }
        small, large = sorted(plain, key=plain.__getitem__)
        expected = {small: min(1, 2 * plain[small]), large: max(min(1, 2 * plain[small]), plain[large])}
        assert {label: found[f"{label}-{against}.p@1"] for label in plain} == pytest.approx(expected)


def test_better_and_worse_are_whole_numbers():
    rows = [[float(seed)] for seed in range(9)]
    found = figures_of((curves("low", rows), curves("high", [[1 + 2 * row[0]] for row in rows])), (1,))
    verdicts = {name.partition("@")[0]: value for name, value in found.items() if ".is_" in name}
    assert verdicts == {
        "low-high.is_better": 0,
        "low-high.is_worse": 1,
        "high-low.is_better": 1,
        "high-low.is_worse": 0,
    }


def test_lower_is_better_where_the_objective_says_so():
    found = figures_of((curves("a", FIRST, "min"), curves("b", SECOND, "min")), (2,), target=1.0)
    assert found["b.reached@2"] == 0.5
    assert found["a.rank@2"] == found["b.rank@2"] == 1.5


def test_counts_are_read_from_the_names_of_figures():
    assert counts_in(["a.mean@50", "a-b.p@5", "a.rank", "a.mean@5", "a.mean@05", "x@7y"], most=None) == (5, 50)
    assert counts_in(["a.mean@50", "a.mean@5"], most=10) == (5,)


def test_a_count_beyond_the_curves_is_refused():
    with pytest.raises(UsageError, match="got checkpoint 4"):
        figures_of(BOTH, (4,))
