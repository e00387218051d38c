import numpy as np
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl_plugins.strategies.optuna_gp import OptunaGp

ONE = Goal((Objective("score", "max"),))
TWO = Goal((Objective("a", "max"), Objective("b", "max")))


def search(strategy, asks, loss):
    space, trials = strategy.problem.space, []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        one = proposal.architecture
        trials.append(Trial(number, one, space.key(one), TrialState.COMPLETED, {}, loss(one), note=proposal.note))
        strategy.tell(trials[-1])
    return trials


def counts(*letters):
    return lambda one: tuple(-float(list(one.values()).count(letter)) for letter in letters)


@pytest.mark.parametrize(("goal", "letters"), [(ONE, "a"), pytest.param(TWO, "ab", marks=pytest.mark.slow)])
def test_rebuilt_by_retelling_it_proposes_bit_for_bit_the_same(goal, letters):
    made = OptunaGp(Problem(FlatSpace(), goal), OptunaGp.Options(startup_trials=6))
    trials = search(made, 7, counts(*letters))
    rebuilt = OptunaGp(made.problem, made.options)
    for trial in trials:
        rebuilt.tell(trial)
    pending = (Trial(8, trials[0].architecture, "other", losses=(float("inf"),) * len(letters)),)
    for waiting in ((), pending):
        assert rebuilt.ask(derive_rng(7, "next"), waiting) == made.ask(derive_rng(7, "next"), waiting)


@pytest.mark.slow
def test_it_finds_the_best_of_729_in_thirty():
    """Random search would need hundreds."""
    trials = search(OptunaGp(Problem(FlatSpace(), ONE)), 30, counts("a"))
    assert min(trial.losses[0] for trial in trials) == -6
    assert [trial.note["operator"] for trial in trials[:10]] == ["random"] * 10


def test_what_an_architecture_does_not_have_puts_no_distance_between_two():
    made = OptunaGp(Problem(ConditionalSpace(), ONE))
    space = ConditionalSpace()
    for number in range(12):
        one = space.sample(np.random.default_rng(number))
        made.tell(Trial(number, one, space.key(one), TrialState.COMPLETED, {}, (float(number),)))
    shallow = [trial.params for trial in made.told.trials if trial.params["depth"] < 3]
    assert len(shallow) > 1
    assert {params["width_2"] for params in shallow} == {4}
