import numpy as np
import pytest

from automl.architecture import Architecture
from automl.cli._gain import expected_lowest, gain_over_random
from automl.objectives import Goal, Objective
from automl.trial import Trial, TrialState

MAX = Goal((Objective("score", "max"),))
MIN = Goal((Objective("score", "min"),))


def trial(number: int, value: float | None, operator: str, goal: Goal = MAX, **changes: object) -> Trial:
    metrics = {} if value is None else {"score": value}
    state = TrialState.FAILED if value is None else TrialState.COMPLETED
    made = {
        "number": number,
        "architecture": Architecture.of({"x": number}),
        "key": str(number),
        "state": state,
        "metrics": metrics,
        "losses": goal.losses(metrics),
        "note": {"operator": operator},
    }
    return Trial(**{**made, **changes})


def test_gain_compares_the_best_with_what_as_many_random_ones_would_reach():
    trials = [trial(0, 0.5, "random"), trial(1, 0.7, "random"), trial(2, 0.9, "mutation"), trial(3, 0.2, "mutation")]
    gain = gain_over_random(trials, MAX)
    assert (gain.best, gain.evaluations, gain.random_best, gain.random_count) == (0.9, 4, 0.7, 2)
    assert gain.random_expected == pytest.approx(0.5 / 16 + 0.7 * 15 / 16)
    assert gain.gained == pytest.approx(0.2125)
    assert str(gain) == (
        "best score 0.9 after 4 evaluations; as many random ones would be expected to reach 0.6875 "
        "(estimated from 2 random starts, best 0.7): gain 0.2125"
    )


def test_the_expected_best_is_that_of_drawing_again_and_again():
    losses = [0.3, 0.1, 0.7, 0.2]
    rng = np.random.default_rng(0)
    drawn = rng.choice(losses, size=(200_000, 3)).min(axis=1).mean()
    assert expected_lowest(losses, 3) == pytest.approx(drawn, abs=2e-3)
    assert expected_lowest(losses, 1) == pytest.approx(np.mean(losses))


def test_gain_follows_the_direction():
    trials = [trial(0, 3.0, "random", MIN), trial(1, 5.0, "mutation", MIN)]
    gain = gain_over_random(trials, MIN)
    assert (gain.best, gain.random_best, gain.gained) == (3.0, 3.0, 0.0)


def test_failures_count_as_evaluations_and_repeats_do_not():
    trials = [
        trial(0, 0.5, "random"),
        trial(1, None, "mutation"),
        trial(2, 0.6, "mutation"),
        trial(3, 0.6, "mutation", duplicate_of=2),
        trial(4, 0.99, "mutation", fidelity=1.0),
    ]
    gain = gain_over_random(trials, MAX)
    assert (gain.best, gain.evaluations) == (0.6, 3)


def test_there_is_no_gain_without_a_random_start_or_anything_else_or_one_objective():
    assert gain_over_random([trial(0, 0.5, "random")], MAX) is None
    assert gain_over_random([trial(0, 0.5, "mutation")], MAX) is None
    assert gain_over_random([], MAX) is None
    both = Goal((Objective("score", "max"), Objective("size", "min")))
    assert gain_over_random([trial(0, 0.5, "random", both), trial(1, 0.5, "mutation", both)], both) is None
