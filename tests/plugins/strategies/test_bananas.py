from dataclasses import replace

import automl_fakes
import numpy as np
import pytest
from driving import count_of_a, rugged, search

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl_plugins.strategies.bananas import Bananas

GOAL = Goal((Objective("score", "max"),))
QUICK = {"epochs": 30, "layers": 3}


def strategy_of(space, seed=0, **options):
    return Bananas(Problem(space, GOAL, seed=seed), Bananas.Options(**{**QUICK, **options}))


def test_the_defaults_are_the_published_ones():
    options = Bananas.Options()
    assert (options.initial, options.batch_size, options.networks) == (10, 10, 5)
    assert (options.layers, options.width, options.epochs, options.candidates) == (10, 20, 150, 100)
    assert (options.encoding, options.acquisition) == ("path", "thompson")


def test_batches_follow_the_random_start():
    trials = search(strategy_of(CellSpace(), initial=6, batch_size=4), 18, rugged)
    assert [trial.note["operator"] for trial in trials] == ["random"] * 6 + ["surrogate"] * 12
    assert [trial.note["batch"] for trial in trials[6:]] == [0] * 4 + [1] * 4 + [2] * 4


@pytest.mark.parametrize("acquisition", ["thompson", "ucb", "ei"])
@pytest.mark.parametrize("encoding", ["path", "one_hot", "adjacency"])
def test_every_choice_learns(encoding, acquisition):
    """Cells with many edges are better, which all encodings can say."""

    def loss(trial):
        return -float(sum(value is True for value in trial.architecture.values()))

    strategy = strategy_of(CellSpace(), encoding=encoding, acquisition=acquisition, batch_size=5)
    trials = search(strategy, 40, loss)
    assert np.mean([trial.losses[0] for trial in trials[25:]]) < np.mean([trial.losses[0] for trial in trials[:10]]) - 1


@pytest.mark.parametrize("space", [FlatSpace(), ConditionalSpace(), automl_fakes.MixedSpace()])
def test_it_repeats_nothing_that_is_told_or_pending(space):
    strategy = strategy_of(space, initial=6)
    known = {trial.key for trial in search(strategy, 12, rugged)}
    pending: list[Trial] = []
    for number in range(8):
        proposal = strategy.ask(derive_rng(1, "ask", number), tuple(pending))
        key = space.key(proposal.architecture)
        assert key not in known
        known.add(key)
        pending.append(Trial(20 + number, proposal.architecture, key, losses=(float("inf"),)))


def test_parallel_workers_work_down_the_ranking_of_one_worker():
    """What a batch proposes does not depend on how many of its trials are pending instead of told."""
    serial = strategy_of(FlatSpace(), initial=6, batch_size=5)
    trials = search(serial, 11, rugged)
    parallel = strategy_of(FlatSpace(), initial=6, batch_size=5)
    for trial in trials[:6]:
        parallel.tell(trial)
    for number in range(6, 11):
        proposal = parallel.ask(derive_rng(0, "ask", number), trials[6:number])
        assert proposal.architecture == trials[number].architecture


def test_a_trial_told_within_a_batch_does_not_change_it():
    strategy = strategy_of(FlatSpace(), initial=6, batch_size=5)
    trials = search(strategy, 7, rugged)
    rebuilt = strategy_of(FlatSpace(), initial=6, batch_size=5)
    for trial in trials[:6]:
        rebuilt.tell(trial)
    rebuilt.tell(replace(trials[6], losses=(-1e6,)))
    one, other = (which.ask(derive_rng(0, "ask", 7), ()) for which in (strategy, rebuilt))
    assert one == other


def test_candidates_are_one_edit_from_what_was_best():
    strategy = strategy_of(FlatSpace(), initial=10, parents=2, batch_size=4)
    trials = search(strategy, 14, count_of_a)
    best = sorted(trials[:10], key=lambda trial: trial.rank)[:2]
    for trial in trials[10:]:
        assert any(sum(trial.architecture[n] != p.architecture[n] for n in trial.architecture) == 1 for p in best)


def test_a_space_that_is_tried_up_still_gets_an_answer():
    class Two(FlatSpace):
        def decide(self, choose):
            return (choose.categorical("x", (0, 1)),)

    strategy = strategy_of(Two(), initial=2)
    for number, one in enumerate(Two().enumerate()):
        strategy.tell(Trial(number, one, Two().key(one), TrialState.COMPLETED, losses=(0.0,)))
    assert strategy.ask(np.random.default_rng(0), ()).note["because"] == "no new candidate"


def test_another_seed_trains_other_networks():
    """Told the same, two studies rank differently."""
    told = search(strategy_of(FlatSpace()), 10, rugged)
    answers = []
    for seed in range(2):
        strategy = strategy_of(FlatSpace(), seed=seed)
        for trial in told:
            strategy.tell(trial)
        answers.append(strategy.rank(0, 10)[:10])
    assert answers[0] != answers[1]
