import math

import pytest

from automl import ConfigurationError, Goal, Objective, Trial, TrialState
from automl.testing.problems import FlatSpace
from automl_plugins.strategies._rl.rewards import Reward

UP, DOWN = Goal((Objective("score", "max"),)), Goal((Objective("score", "min"),))


def trial(score, goal, state=TrialState.COMPLETED, violation=0.0, **metrics):
    one = next(FlatSpace().enumerate())
    found = {"score": score, **metrics}
    return Trial(0, one, "key", state, found, goal.losses(found), violation)


@pytest.mark.parametrize(
    ("name", "goal", "score", "expected"),
    [
        ("identity", UP, 0.9, 0.9),
        ("identity", DOWN, 3.0, -3.0),
        ("cubed", UP, 0.5, 0.125),
        ("inverse_ppl2", DOWN, 4.0, 5.0),
        ("inverse_ppl", DOWN, 4.0, 20.0),
    ],
)
def test_transforms(name, goal, score, expected):
    reward = Reward(name, goal)
    reward.check()
    assert reward(trial(score, goal)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "latency", "expected"),
    [
        ("latency_soft", 80.0, 0.8),
        ("latency_soft", 160.0, 0.8 * 2**-0.07),
        ("latency_soft", 40.0, 0.8 * 2**0.07),
        ("latency_hard", 40.0, 0.8),
        ("latency_hard", 160.0, 0.4),
    ],
)
def test_latency(name, latency, expected):
    reward = Reward(name, UP, latency_metric="ms", latency_target=80.0)
    assert reward(trial(0.8, UP, ms=latency)) == pytest.approx(expected)
    assert reward(trial(0.8, UP)) is None
    assert reward(trial(0.8, UP, ms=math.nan)) is None


def test_the_scale_comes_before_the_transform():
    assert Reward("cubed", UP, scale=0.01)(trial(50.0, UP)) == pytest.approx(0.125)


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_what_is_not_a_number_is_no_reward(score):
    for goal in (UP, DOWN):
        assert Reward("identity", goal)(trial(score, goal)) is None


def test_only_feasible_completed_trials_have_a_reward():
    for state in (TrialState.FAILED, TrialState.REJECTED, TrialState.PRUNED):
        assert Reward("identity", UP)(trial(0.5, UP, state)) is None
    assert Reward("identity", UP)(trial(0.5, UP, violation=0.1)) is None
    assert Reward("inverse_ppl2", DOWN)(trial(0.0, DOWN)) is None


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (Reward("cubed", DOWN), "'cubed' needs an objective to be maximised, but got 'score:min'"),
        (Reward("inverse_ppl2", UP), "'inverse_ppl2' needs an objective to be minimised, but got 'score:max'"),
        (Reward("latency_soft", UP), "needs `latency_metric`"),
    ],
)
def test_a_transform_that_does_not_fit_is_refused(reward, message):
    with pytest.raises(ConfigurationError, match=message):
        reward.check()
