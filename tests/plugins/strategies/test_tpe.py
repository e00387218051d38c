from dataclasses import replace

import automl_fakes
import numpy as np
import pytest

from automl import Condition, Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl_plugins.strategies.tpe import Tpe

GOAL = Goal((Objective("score", "max"),))


def search(space, asks, loss, goal=GOAL, seed=0, violation=lambda trial: 0.0, **options):
    strategy = Tpe(Problem(space, goal, seed=seed), Tpe.Options(**{"startup_trials": 10, **options}))
    trials = []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(seed, "ask", number), ())
        trial = Trial(number, proposal.architecture, space.key(proposal.architecture), TrialState.COMPLETED)
        trial = replace(trial, note=proposal.note, violation=violation(trial))
        trials.append(replace(trial, losses=loss(trial)))
        strategy.tell(trials[-1])
    return strategy, trials


def count_of_a(trial):
    return (-float(sum(value == "a" for value in trial.architecture.values())),)


@pytest.mark.parametrize("space", [FlatSpace(), ConditionalSpace(), automl_fakes.MixedSpace()])
def test_a_sampler_rebuilt_by_retelling_proposes_bit_for_bit_the_same(space):
    def loss(trial):
        return (int(trial.key[:6], 16) / 2**24,)

    strategy, trials = search(space, 25, loss)
    rebuilt = Tpe(strategy.problem, strategy.options)
    for trial in trials:
        rebuilt.tell(trial)
    for number in range(4):
        one, other = (which.ask(derive_rng(7, "next", number), ()) for which in (strategy, rebuilt))
        assert one == other
        assert one.note["operator"] in ("sampler", "neighbour")


def test_the_sampler_repeats_nothing_that_is_told_or_pending():
    """Optuna does so by itself; such walks are asked again, and a neighbour is said to be one."""
    space = FlatSpace()
    strategy, trials = search(space, 25, count_of_a)
    known = {trial.key for trial in trials}
    pending: list[Trial] = []
    for number in range(12):
        proposal = strategy.ask(derive_rng(1, "ask", number), tuple(pending))
        key = space.key(proposal.architecture)
        assert key not in known or proposal.note["operator"] == "neighbour"
        known.add(key)
        pending.append(Trial(number + 25, proposal.architecture, key, losses=(float("inf"),)))


def test_when_only_repeats_are_left_a_neighbour_is_taken():
    class Two(FlatSpace):
        def decide(self, choose):
            return (choose.categorical("x", (0, 1)),)

    space = Two()
    strategy = Tpe(Problem(space, GOAL), Tpe.Options(startup_trials=1, max_tries=3))
    for number, one in enumerate(space.enumerate()):
        strategy.tell(Trial(number, one, space.key(one), TrialState.COMPLETED, losses=(0.0,)))
    assert strategy.ask(np.random.default_rng(0), ()).note == {"operator": "neighbour", "because": "only repeats"}


def test_it_learns():
    _, trials = search(FlatSpace(), 60, count_of_a, multivariate=True)
    assert np.mean([trial.losses[0] for trial in trials[40:]]) < np.mean([trial.losses[0] for trial in trials[:10]]) - 1


def test_it_learns_on_a_conditional_space():
    """Deep networks are better, and wide last layers, which only deep ones have, better still."""

    def loss(trial):
        return (-float(trial.architecture["depth"]) - float(trial.architecture.get("width_2", 0)) / 64,)

    _, trials = search(automl_fakes.MlpSpace(), 45, loss)
    assert np.mean([trial.architecture["depth"] for trial in trials[25:]]) > 2.3


def test_it_avoids_what_violates_the_constraints():
    """Left alone, it would soon propose nothing but architectures with more than two."""

    def violation(trial):
        return max(0.0, -count_of_a(trial)[0] - 2) / 2

    goal = Goal(GOAL.objectives, (Condition.parse("a <= 2"),))
    shares = []
    for sought in (goal, GOAL):
        _, trials = search(FlatSpace(), 50, count_of_a, sought, violation=violation)
        shares.append(np.mean([trial.is_feasible for trial in trials[25:]]))
    assert shares[0] > 0.4
    assert shares[1] < 0.2


def test_several_objectives_are_explored():
    goal = Goal((Objective("a", "max"), Objective("b", "max")))

    def losses(trial):
        values = list(trial.architecture.values())
        return -float(values.count("a")), -float(values.count("b"))

    _, trials = search(FlatSpace(), 50, losses, goal)
    late = np.mean([sum(trial.losses) for trial in trials[30:]])
    assert late < np.mean([sum(trial.losses) for trial in trials[:10]])


@pytest.mark.parametrize(("trials", "startup"), [(None, 10), (100, 10), (150, 25)])
def test_the_random_start_follows_the_budget(trials, startup):
    assert Tpe(Problem(FlatSpace(), GOAL, trials)).startup_trials == startup


def test_trials_without_a_value_can_be_all_there_is():
    space = FlatSpace()
    strategy = Tpe(Problem(space, GOAL), Tpe.Options(startup_trials=2))
    for number in range(12):
        one = strategy.ask(derive_rng(0, "ask", number), ()).architecture
        strategy.tell(Trial(number, one, space.key(one), TrialState.FAILED, losses=(float("inf"),)))
    assert space.validate(strategy.ask(derive_rng(0, "ask", 12), ()).architecture)


@pytest.mark.parametrize("options", [{}, {"multivariate": False}, {"group": True}])
def test_walks_that_share_a_model_get_what_the_sampler_itself_would_give(options, monkeypatch):
    """With many repeats on the way."""
    import optuna

    from automl_plugins.strategies import tpe

    found = [search(ConditionalSpace(), 25, lambda trial: (len(trial.architecture),), **options)[1]]
    monkeypatch.setattr(tpe, "_Fitted", optuna.samplers.TPESampler)
    found.append(search(ConditionalSpace(), 25, lambda trial: (len(trial.architecture),), **options)[1])
    assert found[0] == found[1]
    flat = [search(FlatSpace(), 40, count_of_a, **options)[1]]
    monkeypatch.undo()
    flat.append(search(FlatSpace(), 40, count_of_a, **options)[1])
    assert flat[0] == flat[1]
