import itertools
import math

import numpy as np
import pytest

from automl import Condition, ConfigurationError, Goal, Objective, Trial, TrialState, dominates, pareto_front


@pytest.mark.parametrize(("text", "loss"), [("acc:max", -0.9), ("acc:min", 0.9), (" acc:max ", -0.9)])
def test_a_loss_is_always_minimised(text, loss):
    assert Objective.parse(text).loss({"acc": 0.9}) == loss
    assert Objective.parse(text).loss({}) == math.inf
    assert Objective.parse(text).loss({"acc": math.nan}) == math.inf


@pytest.mark.parametrize("text", ["acc", "acc:up", ":max", "acc:", "acc:max:min"])
def test_what_it_cannot_read_is_answered_with_the_right_form(text):
    with pytest.raises(ConfigurationError, match="'val_accuracy:max'"):
        Objective.parse(text)


def test_a_goal_adds_up_violations():
    goal = Goal((Objective("a", "max"), Objective("b", "min")), (Condition.parse("b <= 2"), Condition.parse("c <= 1")))
    assert goal.losses({"a": 1.0, "b": 3.0}) == (-1.0, 3.0)
    assert goal.violation({"b": 3.0, "c": 1.5}) == 1.0
    assert goal.violation({"b": 1.0, "c": 0.0}) == 0


def test_dominance_needs_to_be_better_somewhere():
    assert dominates((0, 1), (1, 1))
    assert not dominates((1, 1), (1, 1))
    assert not dominates((0, 2), (1, 1))
    with pytest.raises(ValueError):
        dominates((0,), (1, 1))


def test_the_front_is_what_nothing_dominates():
    """Against the definition, on random points with ties."""
    rng = np.random.default_rng(0)
    for size, objectives in itertools.product((1, 7, 30), (1, 2, 3)):
        points = rng.integers(0, 4, (size, objectives)).tolist()
        front = pareto_front(points)
        for i, own in enumerate(points):
            beaten = any(all(a <= b for a, b in zip(p, own, strict=True)) and p != own for p in points)
            assert (i in front) is not beaten
    assert pareto_front([]) == []


def test_trials_are_ranked_feasible_first():
    def trial(state, violation, *losses):
        return Trial(0, None, "", state, losses=losses, violation=violation)

    ordered = [
        trial(TrialState.COMPLETED, 0.0, -2.0),
        trial(TrialState.COMPLETED, 0.0, 5.0),
        trial(TrialState.COMPLETED, 0.1, -9.0),
        trial(TrialState.REJECTED, 0.2, math.inf),
        trial(TrialState.FAILED, 0.0, math.inf),
    ]
    shuffled = [ordered[i] for i in (3, 1, 4, 0, 2)]
    assert sorted(shuffled, key=lambda one: one.rank) == ordered
    assert [one.is_feasible for one in ordered] == [True, True, False, False, False]
