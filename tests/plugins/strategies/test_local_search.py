import os
from collections import deque
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from automl import Goal, Objective, Problem, SearchSpace, Trial, TrialState, derive_rng
from automl.testing import StrategySuite
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl_plugins.strategies.local_search import LocalSearch
from automl_spaces.nas_bench_201 import NasBench201

GOAL = Goal((Objective("score", "max"),))
ROWS = {
    # Mean and deviation of the best so far after 20, 50, 100, 150, 200 and 500 evaluations, 200 seeds each.
    "first": ((93.70, 94.19, 94.31, 94.36, 94.37, 94.37), (0.42, 0.22, 0.12, 0.05, 0.03, 0.0)),
    "steepest": ((93.52, 93.98, 94.26, 94.31, 94.34, 94.37), (0.45, 0.32, 0.19, 0.14, 0.11, 0.0)),
}
CHECKPOINTS = (20, 50, 100, 150, 200, 500)


class Wide(SearchSpace[tuple[int, ...]]):
    """One decision with 2**40 answers, which nobody may list, and a small one."""

    def decide(self, choose):
        return (*choose.subset("subset", 40), choose.integer("small", 1, 3))

    def build(self, blueprint, task):
        raise NotImplementedError


class Interval(SearchSpace[tuple[float, float]]):
    """Nothing but intervals."""

    def decide(self, choose):
        return choose.real("plain", -1.0, 1.0), choose.real("rate", 1e-5, 1e-1, log=True)

    def build(self, blueprint, task):
        raise NotImplementedError


def rugged(architecture):
    """A landscape with many local optima: the parts add up, and a third is luck of the whole."""
    parts = [derive_rng(0, f"{name}={value}").random() for name, value in architecture.items()]
    return -(sum(parts) / len(parts) + 0.3 * derive_rng(0, str(architecture)).random())


def climb(space, asks, loss=rugged, *, window=1, seed=0, **options):
    """Drive the strategy; with a window, the oldest of so many pending trials is told when no more may be asked."""
    strategy = LocalSearch(Problem(space, GOAL, asks, seed), LocalSearch.Options(**options))
    trials, pending = [], deque()
    while len(trials) < asks or pending:
        proposal = None
        if len(trials) < asks and len(pending) < window:
            proposal = strategy.ask(derive_rng(seed, "ask", len(trials)), tuple(pending))
        if proposal is None:
            assert pending, "it waits for nothing"
            strategy.tell(pending.popleft())
            continue
        one = Trial(
            len(trials), proposal.architecture, space.key(proposal.architecture), TrialState.COMPLETED, {}, (0.0,)
        )
        trials.append(replace(one, losses=(loss(one.architecture),), note=proposal.note))
        pending.append(trials[-1])
    return strategy, trials


def differences(one, other):
    return [name for name in one if other.get(name) != one[name]]


@pytest.mark.parametrize("variant", ["first", "steepest"])
@pytest.mark.parametrize("window", [1, 5])
def test_a_completed_descent_ends_at_a_local_optimum(variant, window):
    """The best of each descent that has ended beats all of its twelve neighbours."""
    space = FlatSpace()
    strategy, trials = climb(space, 250, window=window, variant=variant, initial=3)
    assert strategy.descent >= 3
    value = {trial.architecture: trial.losses for trial in trials}
    optima = 0
    for architecture, loss in value.items():
        around = [value.get(neighbour) for neighbour in space.neighbours(architecture)]
        optima += None not in around and loss < min(around)
    assert optima >= min(3, strategy.descent)


@pytest.mark.parametrize("variant", ["first", "steepest"])
@pytest.mark.parametrize("at_optimum", ["restart", "continue"])
@pytest.mark.parametrize("window", [1, 4])
def test_nothing_is_evaluated_twice(variant, at_optimum, window):
    _, trials = climb(FlatSpace(), 400, window=window, variant=variant, at_optimum=at_optimum)
    assert len({trial.architecture for trial in trials}) == 400


def test_networks_are_not_evaluated_twice_when_they_are_what_counts():
    _, trials = climb(CellSpace(), 150, identity="network")
    assert len({trial.key for trial in trials}) == 150
    _, trials = climb(CellSpace(), 150)
    assert len({trial.key for trial in trials}) < 150


def test_it_learns_that_encodings_share_their_networks_value():
    """Told once that another encoding answered, it proposes no encoding of a known network any more."""
    space, seen, repeats = CellSpace(), {}, []
    strategy = LocalSearch(Problem(space, GOAL), LocalSearch.Options())
    for number in range(150):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        key = space.key(proposal.architecture)
        if key in seen:
            repeats.append(number)
        loss = (rugged({"key": key}),)
        trial = Trial(number, proposal.architecture, key, TrialState.COMPLETED, {}, loss, note=proposal.note)
        strategy.tell(replace(trial, duplicate_of=seen.setdefault(key, number) if key in seen else None))
        seen.setdefault(key, number)
    assert len(repeats) == 1


def test_repeats_of_the_same_encoding_do_not_mislead_it():
    """A table lists other values for other encodings; that one of them was asked twice says nothing of the rest."""
    space, rng = CellSpace(), np.random.default_rng(0)
    strategy = LocalSearch(Problem(space, GOAL), LocalSearch.Options(initial=1))
    one = space.sample(rng)
    for number, repeat in enumerate((None, 0, 0)):
        note = {"operator": "random", "descent": 0}
        strategy.tell(Trial(number, one, "k", TrialState.COMPLETED, {}, (0.0,), duplicate_of=repeat, note=note))
    keys = [strategy.ask(derive_rng(0, "ask", 3), ()).architecture]
    while len(keys) < 13:
        strategy.tell(Trial(len(keys) + 2, keys[-1], "k", TrialState.COMPLETED, {}, (1.0,)))
        keys.append(strategy.ask(derive_rng(0, "ask", len(keys)), ()).architecture)
    assert len(set(keys)) == 13, "all keys are alike, and it asks for their encodings all the same"


def test_a_descent_starts_at_the_best_of_the_random_ones():
    _, trials = climb(FlatSpace(), 12, initial=10)
    assert [trial.note["operator"] for trial in trials] == ["random"] * 10 + ["neighbour"] * 2
    best = min(trials[:10], key=lambda trial: trial.losses)
    assert trials[10].note["parents"] == [best.number]


@pytest.mark.parametrize("space", [FlatSpace(), CellSpace(), NasBench201()])
def test_a_neighbour_differs_from_the_centre_by_one_decision(space):
    _, trials = climb(space, 120)
    for trial in trials:
        for parent in trial.note.get("parents", ()):
            assert len(differences(trial.architecture, trials[parent].architecture)) == 1


def test_the_first_improvement_is_followed():
    """A better neighbour is the next centre; otherwise the centre stays, or the search moves to what it knew before."""
    _, trials = climb(FlatSpace(), 200, initial=1)
    moves = 0
    for before, after in pairwise(trials):
        if before.note["descent"] == after.note["descent"] and before.note["operator"] == "neighbour":
            old, new = trials[before.note["parents"][0]], trials[after.note["parents"][0]]
            if before.losses < old.losses:
                assert new.losses <= before.losses
                moves += new == before
            elif new != old:
                assert new.number < before.number
                assert new.losses < old.losses
    assert moves > 10


def test_the_steepest_ascent_looks_at_all_neighbours_before_it_moves():
    space = FlatSpace()
    _, trials = climb(space, 60, initial=1, variant="steepest")
    told = {trial.architecture: trial for trial in trials}
    followed = [trial.note["parents"][0] for trial in trials if trial.note["operator"] == "neighbour"]
    first, second = list(dict.fromkeys(followed))[:2]
    around = [told[neighbour] for neighbour in space.neighbours(trials[first].architecture)]
    assert len(around) == 12
    assert min(around, key=lambda trial: trial.losses).number == second


def test_neighbours_are_visited_in_another_order_with_another_seed():
    def order(seed):
        _, trials = climb(FlatSpace(), 13, lambda _: 0.0, seed=seed, initial=1)
        (centre,) = {trial.note["parents"][0] for trial in trials[1:]}
        return [differences(trial.architecture, trials[centre].architecture)[0] for trial in trials[1:]]

    assert sorted(order(0)) == sorted(order(1))
    assert order(0) == order(0) != order(1)


def test_it_restarts_at_random_or_continues_from_the_best_that_is_left():
    def flat(_):
        return 0.0

    _, trials = climb(FlatSpace(), 30, flat, initial=1)
    assert [trial.note["operator"] for trial in trials].count("random") == 3, "12 neighbours each, none better"
    _, trials = climb(FlatSpace(), 30, flat, initial=1, at_optimum="continue")
    operators = [trial.note["operator"] for trial in trials]
    assert operators == ["random"] + ["neighbour"] * 29
    assert len({trial.note["parents"][0] for trial in trials[1:]}) >= 3


def test_several_neighbours_may_be_on_their_way():
    strategy = LocalSearch(Problem(FlatSpace(), GOAL), LocalSearch.Options(initial=1))
    start = strategy.ask(derive_rng(0, "ask", 0), ())
    told = Trial(0, start.architecture, "k", TrialState.COMPLETED, {}, (0.0,), note=start.note)
    strategy.tell(told)
    pending = []
    for number in range(1, 15):
        proposal = strategy.ask(derive_rng(0, "ask", number), pending)
        if proposal is None:
            break
        pending.append(Trial(number, proposal.architecture, "k", note=proposal.note))
    operators = [trial.note["operator"] for trial in pending]
    assert operators == ["neighbour"] * 12 + ["random"], "then the next start is drawn, and then it waits"
    assert len({trial.architecture for trial in pending}) == 13
    better = replace(pending[5], state=TrialState.COMPLETED, losses=(-1.0,))
    strategy.tell(better)
    assert strategy.centre == better


def test_it_moves_to_improvements_that_it_did_not_propose():
    space = FlatSpace()
    strategy = LocalSearch(Problem(space, GOAL), LocalSearch.Options(initial=1))
    one, other = space.sample(np.random.default_rng(0)), space.sample(np.random.default_rng(1))
    strategy.tell(Trial(0, one, "k", TrialState.COMPLETED, {}, (0.0,), note={"operator": "random", "descent": 0}))
    strategy.tell(Trial(1, other, "k", TrialState.COMPLETED, {}, (-1.0,), note={"operator": "engine_neighbour"}))
    assert strategy.centre.number == 1


def test_failures_and_infeasible_trials_are_no_improvements():
    space = FlatSpace()
    strategy = LocalSearch(Problem(space, GOAL), LocalSearch.Options(initial=1))
    strategy.tell(
        Trial(
            0,
            space.sample(np.random.default_rng(0)),
            "k",
            TrialState.COMPLETED,
            {},
            (0.0,),
            note={"operator": "random", "descent": 0},
        )
    )
    for number, (state, violation) in enumerate(((TrialState.FAILED, 0), (TrialState.COMPLETED, 1)), 1):
        proposal = strategy.ask(derive_rng(0, "ask", number), ())
        strategy.tell(
            Trial(number, proposal.architecture, "k", state, {}, (-9.0,), float(violation), note=proposal.note)
        )
    assert strategy.centre.number == 0


def test_a_huge_neighbourhood_is_sampled_and_never_listed():
    _, trials = climb(Wide(), 200, lambda architecture: -len(architecture["subset"]), max_neighbours=50)
    assert len({trial.architecture for trial in trials}) == 200
    assert max(len(trial.architecture["subset"]) for trial in trials) > 25, "better than chance, which is near 20"


def test_intervals_are_searched_by_steps():
    def loss(architecture):
        return abs(architecture["plain"] - 0.3) + abs(np.log10(architecture["rate"]) + 3)

    _, trials = climb(Interval(), 150, loss, initial=5, seed=1)
    assert min(trial.losses[0] for trial in trials) < 0.1
    steps = [trial for trial in trials if trial.note["operator"] == "neighbour"]
    assert all(1e-5 <= trial.architecture["rate"] <= 1e-1 for trial in steps)
    moved = {
        name
        for trial in steps
        for name in differences(trial.architecture, trials[trial.note["parents"][0]].architecture)
    }
    assert moved == {"plain", "rate"}


def test_conditional_spaces_are_climbed():
    _, trials = climb(ConditionalSpace(), 200)
    assert min(t.losses for t in trials[100:]) <= min(t.losses for t in trials[:10])


def test_a_space_that_is_tried_up_ends_in_repeats():
    """729 architectures, all found: then it proposes repeats, which the engine knows how to end."""
    _, trials = climb(FlatSpace(), 740)
    assert len({trial.architecture for trial in trials}) > 720


def test_the_best_possible_is_found_soon():
    def loss(architecture):
        return -sum(value == "a" for value in architecture.values())

    _, trials = climb(FlatSpace(), 60, loss)
    assert min(trial.losses for trial in trials) == (-6,)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"variant": "steepest", "at_optimum": "continue"},
        {"variant": "first", "at_optimum": "continue", "initial": 2},
        {"variant": "steepest", "identity": "network", "initial": 2, "max_neighbours": 10},
    ],
    ids=["steepest", "continue", "network"],
)
class TestEveryVariantIsAStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _configured(self, options):
        self.options = LocalSearch.Options(**options)

    def make(self, problem):
        return LocalSearch(problem, self.options)


@pytest.fixture(scope="module")
def table():
    """NAS-Bench-201: CIFAR-10 test accuracy by architecture, mean of the trainings of 200 epochs."""
    path = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201" / "nasbench201.npz"
    if not path.exists():
        pytest.skip("needs nasbench201/nasbench201.npz in AUTOML_DATA_DIR")
    stored = np.load(path, allow_pickle=False)
    names = [str(name) for name in stored["op_names"]]
    cells = [tuple(names[operation] for operation in row) for row in stored["ops"]]
    return dict(zip(cells, stored["cifar10_test_200_mean"].astype(float), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("variant", ROWS)
def test_it_reproduces_the_reference_curve(table, variant):
    seeds, space = 50, NasBench201()
    best = []
    for seed in range(seeds):
        _, trials = climb(space, 500, lambda one: -table[tuple(one.values())], seed=seed, variant=variant)
        best.append(np.maximum.accumulate([-trial.losses[0] for trial in trials]))
    means, deviations = ROWS[variant]
    for count, mean, deviation in zip(CHECKPOINTS, means, deviations, strict=True):
        found = np.mean([row[count - 1] for row in best])
        rounding = 0.005
        assert found == pytest.approx(mean, abs=3 * deviation * np.sqrt(1 / seeds + 1 / 200) + rounding), count
