import itertools

import optuna
import pytest

from automl import Goal, Objective, Problem, SearchSpace, Trial, TrialState, derive_rng, dominates, pareto_front
from automl.hypervolume import hypervolumes
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl_plugins.strategies.nsga2 import Nsga2
from automl_plugins.strategies.nsga3 import Nsga3

GOAL = Goal((Objective("a", "min"), Objective("b", "min")))


class Wide(SearchSpace):
    """So many architectures that nothing repeats."""

    def decide(self, choose):
        a, b = (choose.categorical(name, ("x", "y", "z")) for name in "ab")
        return a, b, choose.real("c", 0.0, 1.0), choose.real("d", 1e-3, 1.0, log=True), choose.integer("e", 0, 1000)

    def build(self, blueprint, task):
        raise NotImplementedError


def losses(architecture):
    """Two goals at odds."""
    c, d, e = architecture["c"], architecture["d"], architecture["e"] / 1000
    penalty = (architecture["a"] != "y") + (architecture["b"] != "z")
    return (c + d + penalty, (1 - c) ** 2 + abs(e - c) + penalty)


def search(strategy, asks, loss=losses, seed=0):
    space, trials = strategy.problem.space, []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(seed, "ask", number), ())
        one = proposal.architecture
        trials.append(Trial(number, one, space.key(one), TrialState.COMPLETED, {}, loss(one), note=proposal.note))
        strategy.tell(trials[-1])
    return trials


def suggested(study):
    asked = study.ask()
    return asked, {
        "a": "xyz"[asked.suggest_categorical("a", range(3))],
        "b": "xyz"[asked.suggest_categorical("b", range(3))],
        "c": asked.suggest_float("c", 0.0, 1.0),
        "d": asked.suggest_float("d", 1e-3, 1.0, log=True),
        "e": asked.suggest_int("e", 0, 1000),
    }


def test_one_at_a_time_it_is_optunas_own_algorithm():
    """A study that Optuna itself runs, with the same seed at each ask, suggests bit for bit the same.

    A repeat is asked again, here as there. Parents are asked for once before the first child needs them: Optuna hands
    them out in another order at that first time than ever after.
    """
    made = Nsga2(Problem(Wide(), GOAL), Nsga2.Options(population_size=8))
    ours = search(made, 60)
    study = optuna.create_study(directions=["minimize"] * 2)
    for number, trial in enumerate(ours):
        study.sampler = made.sampler(int(derive_rng(0, "ask", number).integers(2**32)))
        asked, found = suggested(study)
        while found in [dict(known.architecture) for known in ours[:number]]:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
            asked, found = suggested(study)
        assert found == dict(trial.architecture), f"trial {number}"
        study.tell(asked, losses(found))
        if number % 8 == 7:
            study.sampler.get_parent_population(study, number // 8 + 1)
    key = "NSGAIISampler:generation"
    told = [trial for trial in study.trials if trial.state is optuna.trial.TrialState.COMPLETE]
    assert [t.system_attrs[key] for t in made.told.trials] == [t.system_attrs[key] for t in told]
    assert max(t.system_attrs[key] for t in told) == 7


@pytest.mark.parametrize("strategy", [Nsga2, Nsga3])
def test_told_out_of_order_generations_fill_as_trials_are_told(strategy):
    """Nothing is lost: every told trial is of the generation that was open then, of exactly the population's size."""
    made = strategy(Problem(FlatSpace(), GOAL), strategy.Options(population_size=4))
    space, number = FlatSpace(), 0
    for _ in range(5):
        pending = []
        for _ in range(3):
            proposal = made.ask(derive_rng(0, "ask", number), tuple(pending))
            key = space.key(proposal.architecture)
            pending.append(Trial(number, proposal.architecture, key, losses=(float("inf"),) * 2, note=proposal.note))
            number += 1
        for trial in reversed(pending):
            found = (float(trial.number % 5), float(trial.number % 3))
            made.tell(Trial(trial.number, trial.architecture, trial.key, TrialState.COMPLETED, {}, found))
    key = made.fresh_sampler(0)._get_generation_key()
    generations = [trial.system_attrs[key] for trial in made.told.trials]
    assert generations == [number // 4 for number in range(15)]


@pytest.mark.parametrize("strategy", [Nsga2, Nsga3])
def test_it_finds_a_front_and_the_hypervolume_never_falls(strategy):
    trials = search(strategy(Problem(Wide(), GOAL, 150)), 150)
    front = [trials[i].losses for i in pareto_front([trial.losses for trial in trials])]
    assert not any(dominates(one, other) for one in front for other in front)
    volumes = hypervolumes([trial.losses for trial in trials], (2.0, 2.0))
    assert all(before <= after for before, after in itertools.pairwise(volumes))
    assert volumes[-1] > 1.05 * volumes[29]


def test_a_child_of_an_architecture_without_a_decision_can_have_it():
    """What an architecture does not have is filled in the same way whenever it is told."""
    made, again = (Nsga2(Problem(ConditionalSpace(), GOAL), Nsga2.Options(population_size=4)) for _ in range(2))
    trials = search(made, 20, lambda one: (float(one["depth"]), -float(one["depth"])))
    for trial in trials:
        again.tell(trial)
    names = {decision.name for decision in made.decisions}
    assert all(trial.params.keys() == names for trial in made.told.trials)
    assert [t.params for t in made.told.trials] == [t.params for t in again.told.trials]
    assert {len(trial.architecture) for trial in trials} != {len(names)}


@pytest.mark.parametrize(("trials", "size"), [(None, 50), (40, 10), (200, 20), (5000, 50)])
def test_the_population_follows_the_budget(trials, size):
    assert Nsga2(Problem(FlatSpace(), GOAL, trials)).population_size == size
