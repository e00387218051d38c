from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import CellSpace, FlatSpace
from automl_plugins.strategies.regularized_evolution import RegularizedEvolution
from automl_spaces.nas_cell import NasCell


def evolve(space, asks, loss, **options):
    """Drive the strategy one trial at a time; return the trials."""
    problem = Problem(space, Goal((Objective("score", "max"),)), asks)
    strategy = RegularizedEvolution(problem, RegularizedEvolution.Options(**options))
    trials = []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        key = space.key(proposal.architecture)
        trial = Trial(number, proposal.architecture, key, TrialState.COMPLETED, note=proposal.note)
        trials.append(replace(trial, losses=(loss(trial),)))
        strategy.tell(trials[-1])
    return trials


def differences(one, other):
    return [name for name in one if other.get(name) != one[name]]


def test_it_starts_at_random_and_then_mutates():
    trials = evolve(FlatSpace(), 30, lambda trial: trial.number, population_size=8, tournament_size=3)
    assert [trial.note["operator"] for trial in trials] == ["random"] * 8 + ["mutation"] * 22


@pytest.mark.parametrize("space", [FlatSpace(), CellSpace(), NasCell()])
def test_a_child_differs_from_its_parent_by_one_decision(space):
    trials = evolve(space, 60, lambda trial: int(trial.key[:6], 16), population_size=10, tournament_size=3)
    for child in trials[10:]:
        (parent,) = child.note["parents"]
        assert len(differences(child.architecture, trials[parent].architecture)) == 1


def test_only_the_youngest_are_parents():
    """Loss grows with the number, so the oldest living member always wins; it leaves all the same."""
    trials = evolve(FlatSpace(), 60, lambda trial: trial.number, population_size=5, tournament_size=5, replace=False)
    assert [child.note["parents"] for child in trials[5:]] == [[child.number - 5] for child in trials[5:]]


def test_a_population_of_one_walks_at_random():
    """P = 1 and S = 1: each child is a mutation of the last trial, however bad."""
    rng = np.random.default_rng(0)
    trials = evolve(FlatSpace(), 200, lambda trial: rng.random(), population_size=1, tournament_size=1)
    assert [child.note["parents"] for child in trials[1:]] == [[child.number - 1] for child in trials[1:]]
    moved = [differences(a.architecture, b.architecture) for a, b in pairwise(trials)]
    assert all(len(names) == 1 for names in moved)
    assert {name for (name,) in moved} == {f"choice_{i}" for i in range(6)}


def test_selection_makes_it_better_than_chance():
    def loss(trial):
        return -sum(value == "a" for value in trial.architecture.values())

    trials = evolve(FlatSpace(), 250, loss, population_size=20, tournament_size=5)
    assert min(trial.losses for trial in trials) == (-6,)
    assert np.mean([trial.losses[0] for trial in trials[100:]]) < np.mean([t.losses[0] for t in trials[:20]]) - 1


def test_members_that_failed_are_selected_only_among_themselves():
    space = FlatSpace()
    problem = Problem(space, Goal((Objective("score", "max"),)))
    strategy = RegularizedEvolution(problem, RegularizedEvolution.Options(population_size=4, tournament_size=3))
    one = space.sample(np.random.default_rng(0))
    for number in range(4):
        strategy.tell(Trial(number, one, "k", TrialState.FAILED, losses=(float("inf"),)))
    assert strategy.ask(derive_rng(0, "ask", 4), ()).note["operator"] == "mutation"
