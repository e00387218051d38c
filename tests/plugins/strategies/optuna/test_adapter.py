"""What all samplers of Optuna have in common; what one of them adds is tested under its name."""

from dataclasses import replace

import numpy as np
import optuna
import pytest
from automl_fakes import MixedSpace

from automl import Condition, Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl.testing.randomness import untouched_randomness
from automl_plugins.strategies._optuna.storage import Told
from automl_plugins.strategies.cmaes import CmaEs
from automl_plugins.strategies.nsga2 import Nsga2
from automl_plugins.strategies.nsga3 import Nsga3
from automl_plugins.strategies.optuna_gp import OptunaGp
from automl_plugins.strategies.qmc import QuasiMonteCarlo
from automl_plugins.strategies.tpe import Tpe

ONE = Goal((Objective("score", "max"),))
TWO = Goal((Objective("a", "max"), Objective("b", "max")))
QUICK = (CmaEs, Nsga2, Nsga3, QuasiMonteCarlo, Tpe)
EVERY = (*QUICK, OptunaGp)


def search(strategy, asks, loss, *, seed=0, violation=lambda trial: 0.0):
    """Ask and tell, one at a time."""
    space, trials = strategy.problem.space, []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(seed, "ask", number), ())
        trial = Trial(number, proposal.architecture, space.key(proposal.architecture), TrialState.COMPLETED)
        trial = replace(trial, note=proposal.note, violation=violation(trial))
        trials.append(replace(trial, losses=loss(trial)))
        strategy.tell(trials[-1])
    return trials


def count(letter):
    return lambda trial: -float(sum(value == letter for value in trial.architecture.values()))


def luck(trial):
    return (int(trial.key[:6], 16) / 2**24,)


@pytest.mark.parametrize("strategy", EVERY)
def test_the_global_generators_and_warnings_are_left_alone(strategy, recwarn):
    with untouched_randomness():
        search(strategy(Problem(FlatSpace(), ONE)), 11, luck)
    assert not [warning for warning in recwarn if "optuna" in str(warning.filename)]
    assert not [warning for warning in recwarn if issubclass(warning.category, optuna.exceptions.ExperimentalWarning)]


@pytest.mark.parametrize("strategy", EVERY)
def test_asking_leaves_nothing_in_the_study(strategy):
    made = strategy(Problem(FlatSpace(), ONE))
    trials = search(made, 10, luck)
    before = [(trial.number, trial.state, dict(trial.system_attrs)) for trial in made.told.trials]
    attributes = dict(made.told.get_study_system_attrs(0))
    pending = [replace(trial, state=TrialState.RUNNING, losses=(float("inf"),)) for trial in trials[:2]]
    made.ask(np.random.default_rng(0), pending)
    assert [(trial.number, trial.state, dict(trial.system_attrs)) for trial in made.told.trials] == before
    assert made.told.get_study_system_attrs(0) == attributes


@pytest.mark.parametrize("strategy", QUICK)
@pytest.mark.parametrize("space", [FlatSpace, ConditionalSpace, MixedSpace])
def test_no_proposal_repeats_what_is_told_or_pending(strategy, space):
    """In these spaces there is always something new to be found."""
    made = strategy(Problem(space(), ONE))
    known = {trial.key for trial in search(made, 25, luck)}
    pending = []
    for number in range(8):
        proposal = made.ask(derive_rng(1, "ask", number), tuple(pending))
        key = made.problem.space.key(proposal.architecture)
        assert key not in known
        known.add(key)
        pending.append(Trial(25 + number, proposal.architecture, key, losses=(float("inf"),), note=proposal.note))


@pytest.mark.parametrize("strategy", EVERY)
def test_when_only_repeats_are_left_a_neighbour_is_taken(strategy):
    class Two(FlatSpace):
        def decide(self, choose):
            return (choose.categorical("x", (0, 1)),)

    space = Two()
    made = strategy(Problem(space, ONE), strategy.Options(max_tries=2))
    for number in range(12):
        one = list(space.enumerate())[number % 2]
        made.tell(Trial(number, one, space.key(one), TrialState.COMPLETED, losses=(0.0,)))
    note = made.ask(np.random.default_rng(0), ()).note
    assert (note["operator"], note["because"]) == ("neighbour", "only repeats")


@pytest.mark.parametrize("strategy", EVERY)
def test_the_neighbour_is_new_even_where_all_around_is_known(strategy):
    """However dear it is to ask the sampler again, looking farther costs nothing."""
    space = FlatSpace()
    made, (centre, *others) = strategy(Problem(space, ONE)), space.enumerate()
    known = {space.key(centre)}
    known |= {space.key(one) for one in others if sum(one[name] != centre[name] for name in one) <= 3}
    for seed in range(10):
        neighbour = made._neighbour(centre, known, np.random.default_rng(seed))
        assert space.key(neighbour) not in known


@pytest.mark.parametrize("strategy", EVERY)
def test_a_space_without_a_choice_is_no_obstacle(strategy):
    class Single(FlatSpace):
        def decide(self, choose):
            return (choose.categorical("x", ("only",)), choose.real("y", 2.0, 2.0), choose.categorical("z", (1, 2)))

    trials = search(strategy(Problem(Single(), ONE)), 2, luck)
    assert {trial.architecture["y"] for trial in trials} == {2.0}


@pytest.mark.parametrize("strategy", [CmaEs, Nsga2, Nsga3])
def test_it_learns(strategy):
    trials = search(strategy(Problem(FlatSpace(), ONE, 100)), 100, lambda trial: (count("a")(trial),))
    late = np.mean([trial.losses[0] for trial in trials[50:]])
    assert late < np.mean([trial.losses[0] for trial in trials[:12]]) - 0.6


@pytest.mark.parametrize("strategy", [CmaEs, Nsga2, Nsga3])
def test_it_stays_out_of_what_violates_the_constraints(strategy):
    """Left alone, it would soon propose mostly architectures with more than two."""

    def violation(trial):
        return max(0.0, -count("a")(trial) - 2) / 2

    goal = Goal(ONE.objectives, (Condition.parse("a <= 2"),))
    shares = []
    for sought in (goal, ONE):
        made = strategy(Problem(FlatSpace(), sought, 100))
        found = search(
            made, 100, lambda trial: (count("a")(trial),), violation=violation if sought is goal else luckless
        )
        shares.append(np.mean([violation(trial) == 0 for trial in found[50:]]))
    assert shares[0] > shares[1] + 0.1
    assert shares[0] > 0.6


def luckless(trial):
    return 0.0


def test_what_failed_counts_as_the_worst_so_far_and_waits_until_there_is_one():
    made, space = Nsga2(Problem(FlatSpace(), TWO)), FlatSpace()
    outcomes = [None, (1.0, 5.0), (3.0, 2.0), None, (9.0, 9.0)]
    sizes = []
    for number, losses in enumerate(outcomes):
        one = space.sample(derive_rng(0, "sample", number))
        state = TrialState.FAILED if losses is None else TrialState.COMPLETED
        infinite = (float("inf"),) * 2
        made.tell(Trial(number, one, space.key(one), state, losses=losses or infinite))
        sizes.append(len(made.told.trials))
    assert sizes == [0, 2, 3, 4, 5]
    assert [tuple(trial.values) for trial in made.told.trials] == [(1, 5), (1, 5), (3, 2), (3, 5), (9, 9)]


def test_with_constraints_what_failed_is_behind_all_that_is_infeasible():
    goal = Goal(ONE.objectives, (Condition.parse("a <= 2"),))
    made, space = Nsga2(Problem(FlatSpace(), goal)), FlatSpace()
    for number, (state, violation) in enumerate(
        [(TrialState.COMPLETED, 0.0), (TrialState.REJECTED, 0.5), (TrialState.FAILED, 0.0)]
    ):
        one = space.sample(derive_rng(0, "sample", number))
        loss = 1.0 if state is TrialState.COMPLETED else float("inf")
        made.tell(Trial(number, one, space.key(one), state, losses=(loss,), violation=violation))
    assert [trial.constraints["violation"] for trial in made.told.trials] == [0.0, 0.5, float("inf")]


def test_told_trials_are_final_and_studies_are_not_run():
    told = Told(1)
    told.add(optuna.create_trial(value=1.0))
    asked = told.asked()
    told.set_trial_system_attr(asked._trial_id, "key", 1)
    assert asked.system_attrs == {"key": 1}
    with pytest.raises(NotImplementedError, match="only by `tell`"):
        told.set_trial_system_attr(0, "key", 1)
    with pytest.raises(NotImplementedError):
        told.study(optuna.samplers.RandomSampler()).ask()
