import numpy as np
import optuna
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import FlatSpace
from automl_plugins.strategies.nsga3 import Nsga3

GOAL = Goal(tuple(Objective(name, "max") for name in "abc"))


def search(strategy, asks):
    space, trials = strategy.problem.space, []
    for number in range(asks):
        one = strategy.ask(derive_rng(0, "ask", number), ()).architecture
        counts = tuple(-float(list(one.values()).count(letter)) for letter in "abc")
        trials.append(Trial(number, one, space.key(one), TrialState.COMPLETED, {}, counts))
        strategy.tell(trials[-1])
    return trials


def test_parents_do_not_depend_on_when_they_are_asked_for():
    """They are drawn when the generation is full, with a seed of the study's, although the method draws lots."""
    made = Nsga3(Problem(FlatSpace(), GOAL), Nsga3.Options(population_size=6))
    trials = search(made, 18)
    rebuilt = Nsga3(made.problem, made.options)
    for trial in trials:
        rebuilt.tell(trial)
        rebuilt.ask(np.random.default_rng(trial.number), ())
    attributes = made.told.get_study_system_attrs(0)
    assert rebuilt.told.get_study_system_attrs(0) == attributes
    assert sorted(attributes) == [f"NSGAIIISampler:parent:{generation}" for generation in (1, 2, 3)]


@pytest.mark.parametrize("divisions", [1, 4])
def test_divisions_are_those_of_the_sampler(divisions):
    sampler = Nsga3(Problem(FlatSpace(), GOAL), Nsga3.Options(divisions=divisions)).fresh_sampler(0)
    assert isinstance(sampler, optuna.samplers.NSGAIIISampler)
    assert sampler._elite_population_selection_strategy._dividing_parameter == divisions


def test_many_objectives_are_advanced_together():
    trials = search(Nsga3(Problem(FlatSpace(), GOAL, 100)), 80)
    for objective in range(3):
        assert sum(trial.losses[objective] <= -4 for trial in trials) >= 6
    assert len({trial.losses for trial in trials}) > 15
