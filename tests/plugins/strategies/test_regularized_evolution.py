import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from automl import Architecture, Goal, InvalidArchitecture, Objective, Problem, Trial, TrialState, derive_rng
from automl.testing import StrategySuite
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl_plugins.strategies.regularized_evolution import RegularizedEvolution, uniform_child
from automl_spaces.evonorm import EvoNorm
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell

# Population 30, tournaments of 10: mean and deviation of the best so far, 200 seeds.
ROW = {
    20: (93.40, 0.39),
    50: (93.93, 0.28),
    100: (94.26, 0.17),
    150: (94.33, 0.10),
    200: (94.35, 0.09),
    500: (94.37, 0.03),
}


def evolve(space, asks, loss, *, seed=0, **options):
    """Drive the strategy one trial at a time; return the trials."""
    problem = Problem(space, Goal((Objective("score", "max"),)), asks, seed)
    strategy = RegularizedEvolution(problem, RegularizedEvolution.Options(**options))
    trials = []
    for number in range(asks):
        proposal = strategy.ask(derive_rng(seed, "ask", number), ())
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


def operators(**options):
    trials = evolve(FlatSpace(), 28, lambda trial: 0, population_size=8, tournament_size=1, **options)
    return [trial.note["operator"] for trial in trials[8:]]


def test_mutation_and_crossover_alternate_strictly():
    assert operators(crossover="uniform") == ["mutation", "uniform_crossover"] * 10
    assert operators(crossover="uniform", crossover_share=0.25) == ([*["mutation"] * 3, "uniform_crossover"]) * 5
    assert operators(crossover="uniform", crossover_share=1)[:4] == ["uniform_crossover"] * 4
    assert operators(crossover_share=1) == ["mutation"] * 20


def test_a_change_of_crossover_leaves_the_rest_as_it_was():
    """Random start and first mutation are the same, so that comparisons differ in one thing."""
    common = {"population_size": 8, "tournament_size": 3}
    ways = [
        evolve(FlatSpace(), 10, lambda trial: trial.number, crossover=way, **common)
        for way in ("none", "uniform", "sep")
    ]
    firsts = [[trial.architecture for trial in trials[:9]] for trials in ways]
    assert firsts[0] == firsts[1] == firsts[2]
    assert len({trials[9].architecture for trials in ways}) > 1


@pytest.mark.parametrize("space", [FlatSpace(), CellSpace(), NasCell(), NasBench201()])
def test_a_uniform_child_takes_each_decision_from_either_parent(space):
    rng, from_first, total = np.random.default_rng(0), 0, 0
    for _ in range(100):
        first, second = space.sample(rng), space.sample(rng)
        child = uniform_child(space, first, second, rng)
        if child is None:
            continue
        assert space.validate(child) == child
        assert child not in (first, second)
        assert all(child[name] in (first[name], second[name]) for name in child)
        apart = [name for name in child if first[name] != second[name]]
        from_first += sum(child[name] == first[name] for name in apart)
        total += len(apart)
    assert total > 200
    assert from_first / total == pytest.approx(0.5, abs=0.08)


def test_a_uniform_child_of_a_conditional_space_is_a_member_and_inherits():
    space, rng, inherited, total = ConditionalSpace(), np.random.default_rng(0), 0, 0
    for _ in range(200):
        first, second = space.sample(rng), space.sample(rng)
        child = uniform_child(space, first, second, rng)
        if child is None:
            continue
        assert space.validate(child) == child
        for name in child:
            had = [parent[name] for parent in (first, second) if name in parent]
            assert not had or child[name] in had
            inherited, total = inherited + bool(had), total + 1
    assert total > 500
    assert inherited / total > 0.95


def test_parents_that_are_neighbours_leave_nothing_between_them():
    space, rng = FlatSpace(), np.random.default_rng(0)
    one = space.sample(rng)
    assert uniform_child(space, one, one, rng) is None
    assert uniform_child(space, one, space.mutate(one, rng), rng) is None


def test_children_that_are_never_valid_are_given_up():
    class Torn(FlatSpace):
        """Valid are only the two parents."""

        def decide(self, choose):
            choices = super().decide(choose)
            if len(set(choices)) > 1:
                raise InvalidArchitecture("torn")
            return choices

    first, second = (Architecture.of({f"choice_{i}": letter for i in range(6)}) for letter in "ab")
    assert uniform_child(Torn(), first, second, np.random.default_rng(0)) is None


def test_a_crossover_that_finds_nothing_is_a_mutation():
    space = FlatSpace()
    problem = Problem(space, Goal((Objective("score", "max"),)))
    for crossover in ("uniform", "sep"):
        options = RegularizedEvolution.Options(population_size=4, crossover=crossover, crossover_share=1)
        strategy = RegularizedEvolution(problem, options)
        one = space.sample(np.random.default_rng(0))
        for number in range(4):
            strategy.tell(Trial(number, one, "k", TrialState.COMPLETED, losses=(0.0,)))
        assert strategy.ask(derive_rng(0, "ask", 4), ()).note["operator"] == "mutation"


@pytest.mark.parametrize("space", [FlatSpace(), CellSpace(), NasBench201()])
def test_sep_crossover_says_how_far_the_parents_are(space):
    trials = evolve(space, 60, lambda trial: int(trial.key[:6], 16), population_size=20, crossover="sep")
    crossed = [trial for trial in trials if trial.note["operator"] == "sep_crossover"]
    assert len(crossed) > 10
    assert all(trial.note["distance"] >= 2 and len(trial.note["parents"]) == 2 for trial in crossed)


def test_a_mutation_changes_the_network_unless_it_need_not():
    def neutral(**options):
        trials = evolve(CellSpace(), 80, lambda trial: trial.number, population_size=5, tournament_size=2, **options)
        return sum(trial.key == trials[trial.note["parents"][0]].key for trial in trials[5:])

    assert neutral() == 0
    assert neutral(must_change="architecture") > 5


def test_perturbing_changes_several_decisions_at_times():
    trials = evolve(FlatSpace(), 80, lambda trial: trial.number, population_size=5, mutation="perturb")
    changed = [
        len(differences(trial.architecture, trials[trial.note["parents"][0]].architecture)) for trial in trials[5:]
    ]
    assert min(changed) == 1 < max(changed)


def test_the_space_says_which_mutation_it_was_published_with():
    class Perturbed(FlatSpace):
        published_mutation = "perturb"

    def changed(space, **options):
        trials = evolve(space, 60, lambda trial: trial.number, population_size=5, **options)
        pairs = [(trial.architecture, trials[trial.note["parents"][0]].architecture) for trial in trials[5:]]
        return max(len(differences(*pair)) for pair in pairs)

    assert changed(FlatSpace()) == changed(Perturbed(), mutation="one") == 1
    assert changed(Perturbed()) > 1


def test_an_evolved_layer_has_one_node_redrawn():
    space = EvoNorm()
    trials = evolve(space, 40, lambda trial: trial.number, population_size=5, tournament_size=2)
    sizes = []
    for child in trials[5:]:
        parent = trials[child.note["parents"][0]]
        nodes = zip(space.blueprint(child.architecture).nodes, space.blueprint(parent.architecture).nodes, strict=True)
        assert sum(one != other for one, other in nodes) == 1
        sizes.append(len(differences(child.architecture, parent.architecture)))
    assert max(sizes) > 1


def test_more_founders_than_members_begin_at_random():
    trials = evolve(FlatSpace(), 20, lambda trial: trial.number, population_size=4, founders=12, crossover="uniform")
    assert [trial.note["operator"] for trial in trials[:14]] == ["random"] * 12 + ["mutation", "uniform_crossover"]
    assert min(trials[12].note["parents"]) >= 8


def test_reordering_mutates_another_encoding_of_the_parent():
    """Against a frozen order no edge can be added backwards; re-ordered, children differ in more than one place."""
    common = {"population_size": 5, "tournament_size": 2}
    trials = evolve(CellSpace(), 80, lambda trial: trial.number, reorder=True, **common)
    changed = [
        len(differences(trial.architecture, trials[trial.note["parents"][0]].architecture)) for trial in trials[5:]
    ]
    assert max(changed) > 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{"crossover": "uniform"}, {"crossover": "sep", "mutation": "perturb", "reorder": True}],
    ids=["uniform", "sep"],
)
class TestEveryCrossoverIsAStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _configured(self, options):
        self.options = RegularizedEvolution.Options(population_size=8, tournament_size=3, **options)

    def make(self, problem):
        return RegularizedEvolution(problem, self.options)


@pytest.mark.slow
def test_it_reproduces_the_reference_curve():
    """NAS-Bench-201, CIFAR-10, mean test accuracy of the trainings of 200 epochs; repeats are counted."""
    path = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201" / "nasbench201.npz"
    if not path.exists():
        pytest.skip("needs nasbench201/nasbench201.npz in AUTOML_DATA_DIR")
    stored, seeds, best = np.load(path, allow_pickle=False), 50, []
    names = [str(name) for name in stored["op_names"]]
    cells = [tuple(names[operation] for operation in row) for row in stored["ops"]]
    table = dict(zip(cells, stored["cifar10_test_200_mean"].astype(float), strict=True))
    for seed in range(seeds):
        trials = evolve(
            NasBench201(),
            500,
            lambda trial: -table[tuple(trial.architecture.values())],
            seed=seed,
            population_size=30,
            tournament_size=10,
            must_change="architecture",
        )
        best.append(np.maximum.accumulate([-trial.losses[0] for trial in trials]))
    for count, (mean, deviation) in ROW.items():
        rounding = 0.005
        tolerance = 3 * deviation * np.sqrt(1 / seeds + 1 / 200) + rounding
        assert np.mean([row[count - 1] for row in best]) == pytest.approx(mean, abs=tolerance), count
