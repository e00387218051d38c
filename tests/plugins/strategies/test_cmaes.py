import pickle

import cmaes
import numpy as np
import pytest
from automl_fakes import MixedSpace

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl_plugins.strategies.cmaes import CmaEs

GOAL = Goal((Objective("score", "max"),))


def search(strategy, asks, loss, states=lambda number: TrialState.COMPLETED):
    space, trials = strategy.problem.space, []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        one, state = proposal.architecture, states(number)
        found = loss(one) if state is TrialState.COMPLETED else float("inf")
        trials.append(Trial(number, one, space.key(one), state, {}, (found,), note=proposal.note))
        strategy.tell(trials[-1])
    return trials


def distribution(strategy):
    """The distribution that Optuna keeps in the attributes of the only trial, in pieces."""
    [carrier] = strategy.told.trials
    return pickle.loads(
        bytes.fromhex("".join(carrier.system_attrs[f"cma:optimizer:{i}"] for i in range(len(carrier.system_attrs))))
    )


def count_of_b(one):
    return -float(list(one.values()).count("b"))


def test_the_distribution_is_the_one_that_the_points_of_the_notes_and_the_ranks_give():
    """The same generations told to the package `cmaes` itself; a failure is the last of its generation."""
    made = CmaEs(Problem(FlatSpace(), GOAL))
    size, names = made.population_size, list(made.parameters)
    trials = search(
        made, 3 * size, count_of_b, lambda number: TrialState.FAILED if number % 5 == 2 else TrialState.COMPLETED
    )
    expected = cmaes.CMA(
        np.full(len(names), 0.5), 1 / 6, bounds=np.array([[0.0, 1.0]] * len(names)), population_size=size
    )
    for start in range(0, len(trials), size):
        told = trials[start : start + size]
        order = sorted({trial.rank for trial in told})
        points = [np.array([made._encoded(trial)[0][name] for name in names]) for trial in told]
        expected.tell([(point, order.index(trial.rank)) for point, trial in zip(points, told, strict=True)])
    found = distribution(made)
    assert found.generation == expected.generation == 3
    np.testing.assert_allclose(found.mean, expected.mean, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found._C, expected._C, rtol=0, atol=1e-12)


def test_a_proposal_of_the_sampler_means_its_point():
    made = CmaEs(Problem(MixedSpace(), GOAL))
    for trial in search(made, 12, lambda one: float(len(one))):
        if trial.note["operator"] == "sampler":
            encoded, _ = made._encoded(trial)
            fractions = {name for name in trial.note["point"] if "[" in name}
            assert {name: encoded[name] for name in fractions} == {
                name: trial.note["point"][name] for name in fractions
            }


def test_trials_of_others_can_be_told():
    """Without a point, with one that means something else, with nonsense."""
    space = ConditionalSpace()
    made = CmaEs(Problem(space, GOAL))
    notes = [{}, {"point": 3}, {"point": {"depth": "deep"}}, {"point": dict.fromkeys(made.parameters, 0.9)}]
    for number in range(2 * made.population_size):
        one = space.sample(derive_rng(0, "other", number))
        trial = Trial(number, one, space.key(one), TrialState.COMPLETED, {}, (1.0,), note=notes[number % 4])
        made.tell(trial)
    assert distribution(made).generation == 2


@pytest.mark.parametrize("variant", ["separable", "adaptive"])
def test_every_variant_is_a_fold(variant):
    made = CmaEs(Problem(FlatSpace(), GOAL), CmaEs.Options(variant=variant, population_size=4))
    trials = search(made, 10, count_of_b)
    rebuilt = CmaEs(made.problem, made.options)
    for trial in trials:
        rebuilt.tell(trial)
    assert rebuilt.ask(derive_rng(7, "next"), ()) == made.ask(derive_rng(7, "next"), ())


def test_the_generation_follows_the_number_of_numbers():
    assert CmaEs(Problem(FlatSpace(), GOAL)).population_size == 4 + int(3 * np.log(18))
