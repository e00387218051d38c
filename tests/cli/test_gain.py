import pytest

from automl.architecture import Architecture
from automl.cli._gain import gain_over_random
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


def test_gain_compares_the_best_of_all_with_the_best_of_the_random_ones():
    trials = [trial(0, 0.5, "random"), trial(1, 0.7, "random"), trial(2, 0.9, "mutation"), trial(3, 0.2, "mutation")]
    gain = gain_over_random(trials, MAX)
    assert (gain.best, gain.random_best, gain.random_count, gain.further) == (0.9, 0.7, 2, 2)
    assert gain.gained == pytest.approx(0.2)
    assert gain.random_mean == pytest.approx(0.6)
    assert gain.random_deviation == pytest.approx(0.1414, abs=1e-4)
    assert str(gain) == (
        "best score 0.9; best of the 2 random starts 0.7 (mean 0.6 ± 0.1414): better by 0.2 with 2 further evaluations"
    )


def test_gain_is_never_negative_and_follows_the_direction():
    trials = [trial(0, 3.0, "random", MIN), trial(1, 5.0, "mutation", MIN)]
    gain = gain_over_random(trials, MIN)
    assert (gain.best, gain.random_best, gain.gained) == (3.0, 3.0, 0.0)
    assert "no better" in str(gain)


def test_failures_count_as_evaluations_and_repeats_do_not():
    trials = [
        trial(0, 0.5, "random"),
        trial(1, None, "mutation"),
        trial(2, 0.6, "mutation"),
        trial(3, 0.6, "mutation", duplicate_of=2),
        trial(4, 0.99, "mutation", fidelity=1.0),
    ]
    gain = gain_over_random(trials, MAX)
    assert (gain.best, gain.further) == (0.6, 2)


def test_there_is_no_gain_without_a_random_start_or_anything_else_or_one_objective():
    assert gain_over_random([trial(0, 0.5, "random")], MAX) is None
    assert gain_over_random([trial(0, 0.5, "mutation")], MAX) is None
    assert gain_over_random([], MAX) is None
    both = Goal((Objective("score", "max"), Objective("size", "min")))
    assert gain_over_random([trial(0, 0.5, "random", both), trial(1, 0.5, "mutation", both)], both) is None
