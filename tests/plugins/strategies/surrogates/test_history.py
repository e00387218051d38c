import numpy as np
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState
from automl.testing.problems import FlatSpace
from automl_plugins.strategies._surrogates.history import History, mutations, samples, targets

SPACE = FlatSpace()
ACCURACY = Problem(SPACE, Goal((Objective("val_accuracy", "max"),)))
LOSS = Problem(SPACE, Goal((Objective("perplexity", "min"),)))


def trial(number, loss, state=TrialState.COMPLETED, violation=0.0, **more):
    one = SPACE.sample(np.random.default_rng(number))
    return Trial(number, one, SPACE.key(one), state, losses=(loss,), violation=violation, **more)


def test_targets_have_mean_0_and_deviation_1():
    trials = [trial(i, loss) for i, loss in enumerate([3.0, 1.0, 8.0, 2.0])]
    for how in ("standardised", "rank", "log_error", "auto"):
        found = targets(trials, how, LOSS)
        assert found.mean() == pytest.approx(0, abs=1e-12)
        assert found.std() == pytest.approx(1)
        assert np.argsort(found).tolist() == [1, 3, 0, 2]


@pytest.mark.parametrize("scale", [1, 100])
def test_log_error_is_that_of_an_accuracy_in_per_cent_or_as_a_share(scale):
    accuracies = np.array([0.9, 0.94, 0.10, 0.93])
    trials = [trial(i, -scale * accuracy) for i, accuracy in enumerate(accuracies)]
    wanted = np.log(100 - 100 * accuracies + 0.5)
    wanted = (wanted - wanted.mean()) / wanted.std()
    assert targets(trials, "log_error", ACCURACY) == pytest.approx(wanted)
    assert targets(trials, "auto", ACCURACY) == pytest.approx(wanted)


def test_without_an_accuracy_auto_learns_the_order_alone():
    one, other = ([trial(i, loss) for i, loss in enumerate(losses)] for losses in ([1, 2, 3], [1, 2, 1e9]))
    assert targets(one, "auto", LOSS).tolist() == targets(other, "auto", LOSS).tolist()


@pytest.mark.parametrize("how", ["standardised", "rank", "log_error"])
def test_what_has_no_result_or_is_infeasible_is_no_better_than_the_worst(how):
    trials = [
        trial(0, 1.0),
        trial(1, 5.0),
        trial(2, -100.0, violation=0.5),
        trial(3, float("inf"), TrialState.FAILED),
        trial(4, float("inf")),
        trial(5, float("inf"), TrialState.REJECTED, violation=2.0),
    ]
    found = targets(trials, how, LOSS)
    assert np.isfinite(found).all()
    assert found[0] == found.min()
    assert (found[2:] >= found[1]).all()


def test_without_any_feasible_trial_the_violation_is_learnt():
    trials = [trial(i, 0.0, violation=violation) for i, violation in enumerate([3.0, 1.0, 2.0])]
    assert np.argsort(targets(trials, "standardised", LOSS)).tolist() == [1, 2, 0]


def test_equal_trials_have_equal_targets():
    for how in ("standardised", "rank", "log_error"):
        assert targets([trial(i, 1.0) for i in range(3)], how, LOSS).tolist() == [0, 0, 0]


def test_mutations_are_new_neighbours_of_the_best_first():
    history = History(LOSS)
    for number in range(8):
        history.tell(trial(number, float(number)))
    rng = np.random.default_rng(0)
    found = mutations(history, 8, rng, count=30, parents=3, enough=5)
    known = {each.key for each in history.trials}
    keys = [SPACE.key(one) for one in found]
    assert len(set(keys)) == len(keys)
    assert not known & set(keys)

    def distance(one, number):
        return sum(one[name] != history.trials[number].architecture[name] for name in one)

    assert all(min(distance(one, number) for number in range(3)) == 1 for one in found)
    assert all(distance(one, 0) == 1 for one in found[:8])  # 12 neighbours, some of them known or not drawn


def test_worse_parents_help_only_while_too_few_candidates_are_found():
    history = History(LOSS)
    best = SPACE.sample(np.random.default_rng(0))
    family = [best, *SPACE.neighbours(best)]
    for number, one in enumerate(family):
        history.tell(Trial(number, one, SPACE.key(one), TrialState.COMPLETED, losses=(float(number),)))
    rng = np.random.default_rng(0)
    assert mutations(history, len(family), rng, count=50, parents=1, enough=0) == []
    assert len(mutations(history, len(family), rng, count=50, parents=1, enough=10)) == 10


def test_samples_are_new_and_different():
    history = History(LOSS)
    for number in range(50):
        history.tell(trial(number, 0.0))
    found = [SPACE.key(one) for one in samples(history, 50, np.random.default_rng(9), 200)]
    assert len(set(found)) == len(found) > 100
    assert not {each.key for each in history.trials} & set(found)


def test_repeats_teach_nothing():
    history = History(LOSS)
    history.tell(trial(0, 1.0))
    history.tell(trial(1, 1.0, duplicate_of=0))
    assert [each.number for each in history.training(2)] == [0]
