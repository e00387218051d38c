import math

import numpy as np
import pytest

from automl.comparison.curves import (
    Run,
    at_checkpoints,
    curves_of,
    evaluations_to,
    incumbents,
    quartiles,
    values_after,
)
from automl.errors import UsageError

NAN, INF = math.nan, math.inf


def curves(*rows, direction="max", evaluations=None):
    return curves_of("one", [Run(seed, row, row) for seed, row in enumerate(rows)], direction, evaluations)


def brute_force(objective, reported, direction):
    """The definition, one evaluation after the other."""
    best, shown, chosen, kept = None, NAN, [], []
    for value, also in zip(objective, reported, strict=True):
        if math.isfinite(value) and (best is None or (value > best if direction == "max" else value < best)):
            best, shown = value, also
        chosen.append(NAN if best is None else best)
        kept.append(shown)
    return chosen, kept


@pytest.mark.parametrize("direction", ["max", "min"])
def test_the_incumbent_is_the_best_so_far_and_brings_its_report(direction):
    rng = np.random.default_rng(0)
    for length in (1, 2, 7, 40):
        for _ in range(50):
            objective = rng.integers(0, 6, length).astype(float)
            objective[rng.random(length) < 0.3] = rng.choice([NAN, INF, -INF])
            reported = rng.random(length)
            found = incumbents(objective, reported, direction)
            np.testing.assert_array_equal(found, brute_force(objective, reported, direction))


def test_the_test_set_chooses_nothing():
    """The reported curve falls where the better on validation is the worse on the test set."""
    chosen, reported = incumbents([1.0, 2.0, 3.0], [5.0, 9.0, 4.0], "max")
    assert chosen.tolist() == [1.0, 2.0, 3.0]
    assert reported.tolist() == [5.0, 9.0, 4.0]


def test_of_equal_values_the_first_stays():
    assert incumbents([2.0, 2.0, 2.0], [1.0, 5.0, 9.0], "min")[1].tolist() == [1.0, 1.0, 1.0]


def test_values_of_different_length_are_refused():
    with pytest.raises(UsageError, match="both values"):
        incumbents([1.0], [1.0, 2.0], "max")


def test_shorter_runs_keep_their_last_value_and_are_flagged():
    found = curves([1.0, 2.0], [3.0], [0.0, 1.0, 2.0, 3.0])
    assert found.chosen.tolist() == [[1, 2, 2, 2], [3, 3, 3, 3], [0, 1, 2, 3]]
    assert found.lengths.tolist() == [2, 1, 4]
    assert found.is_padded.tolist() == [True, True, False]
    assert [point.short for point in at_checkpoints(found, (1, 2, 4))] == [0, 1, 2]


def test_longer_runs_are_cut():
    found = curves([1.0, 2.0, 3.0], [3.0], evaluations=2)
    assert found.chosen.tolist() == [[1, 2], [3, 3]]
    assert found.lengths.tolist() == [2, 1]


def test_rows_are_ordered_by_seed():
    found = curves_of("one", [Run(5, [2.0], [2.0], 0.2), Run(1, [1.0], [1.0], 0.1)], "max")
    assert found.seeds == (1, 5)
    assert found.chosen[:, 0].tolist() == [1.0, 2.0]
    assert found.ask_seconds.tolist() == [0.1, 0.2]


@pytest.mark.parametrize("runs", [[], [Run(1, [1.0], [1.0]), Run(1, [2.0], [2.0])], [Run(1, [], [])]])
def test_runs_that_make_no_curves_are_refused(runs):
    with pytest.raises(UsageError, match="one: "):
        curves_of("one", runs, "max")


@pytest.mark.parametrize("direction", ["max", "min"])
def test_quartiles_are_those_of_numpy(direction):
    rows = np.random.default_rng(1).random((9, 5))
    found = curves(*rows, direction=direction)
    expected = np.quantile(found.chosen, (0.25, 0.5, 0.75), axis=0)
    np.testing.assert_allclose(quartiles(found), expected)
    assert np.all(expected[0] <= expected[1])


@pytest.mark.parametrize(("direction", "sign"), [("max", 1), ("min", -1)])
def test_seeds_without_a_value_count_as_the_worst(direction, sign):
    found = curves([NAN, sign * 4.0], [sign * 1.0, sign * 2.0], [sign * 3.0, sign * 3.0], direction=direction)
    low, middle, high = quartiles(found)
    best, worst = (high, low) if sign > 0 else (low, high)
    assert math.isnan(worst[0])
    assert (middle[0], best[0]) == (sign * 1.0, sign * 2.0)
    first, last = at_checkpoints(found, (1, 2))
    assert math.isnan(first.mean)
    assert last.mean == pytest.approx(sign * 3)


def test_checkpoints_hold_mean_and_deviation_of_single_runs():
    (point,) = at_checkpoints(curves([1.0, 2.0], [1.0, 4.0], [1.0, 9.0]), (2,))
    assert (point.evaluations, point.mean, point.median) == (2, 5.0, 4.0)
    assert point.sd == pytest.approx(np.std([2, 4, 9], ddof=1))
    assert (point.lower, point.upper) == (3.0, 6.5)


@pytest.mark.parametrize("beyond", [0, 3, -1])
def test_checkpoints_outside_the_curves_are_refused(beyond):
    with pytest.raises(UsageError, match="curves of 2 evaluations"):
        values_after(curves([1.0, 2.0]), beyond)


def test_evaluations_to_a_target_are_censored_where_it_was_never_reached():
    found = curves([1.0, 5.0, 5.0], [5.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 0.0, 9.0])
    reached = evaluations_to(found, 5.0)
    assert reached.evaluations == (2.0, 1.0, INF, 3.0)
    assert reached.median == 2.5
    assert reached.share == 0.75
    assert evaluations_to(found, 9.0).median == INF
    assert evaluations_to(found, 10.0).share == 0


def test_the_median_is_infinite_when_half_of_the_seeds_never_arrive():
    assert evaluations_to(curves([5.0], [1.0]), 5.0).median == INF


def test_a_target_to_be_minimised_is_reached_from_above():
    found = curves([5.0, 2.0], [0.5, 7.0], direction="min")
    assert evaluations_to(found, 2.0).evaluations == (2.0, 1.0)


def test_a_target_read_off_a_rounded_table_is_reached():
    assert evaluations_to(curves([0.1 + 0.2]), 0.3, "reported").share == 1
    assert evaluations_to(curves([0.29]), 0.3).share == 0
