import os
from pathlib import Path

import numpy as np
import pytest
from driving import count_of_a, rugged, search

from automl import Goal, Objective, Problem, Trial, derive_rng
from automl.testing.problems import ConditionalSpace, FlatSpace
from automl_plugins.strategies._surrogates.acquisition import expected_improvement
from automl_plugins.strategies._surrogates.gaussian_process import NOISE, HammingKernel
from automl_plugins.strategies._surrogates.history import targets
from automl_plugins.strategies.gp import Gp
from automl_spaces.nas_bench_201 import NasBench201
from automl_spaces.nas_cell import NasCell, NasCellOptions

GOAL = Goal((Objective("score", "max"),))
ROW = {20: (93.79, 0.33), 50: (94.14, 0.29), 100: (94.24, 0.22), 150: (94.27, 0.19)}
"""Mean and deviation of the best so far on NAS-Bench-201, CIFAR-10: 30 seeds of another implementation."""


def strategy_of(space, seed=0, **options):
    return Gp(Problem(space, GOAL, seed=seed), Gp.Options(**{"candidates": 60, **options}))


def edges(trial):
    return -float(sum(value is True for value in trial.architecture.values()))


def test_it_finds_the_best_of_a_simple_space_soon():
    trials = search(strategy_of(FlatSpace(), random_share=0.0), 30, count_of_a)
    assert min(trial.losses[0] for trial in trials) == -6


@pytest.mark.parametrize("kernel", ["hamming", "graph"])
@pytest.mark.parametrize("whole", [20_000, 0])
def test_both_kernels_learn_with_and_without_the_whole_space(whole, kernel):
    space = NasCell(NasCellOptions(max_nodes=5, operations=("maxpool3x3",)))
    trials = search(strategy_of(space, kernel=kernel, whole_space=whole), 25, edges)
    assert np.mean([trial.losses[0] for trial in trials[15:]]) < np.mean([trial.losses[0] for trial in trials[:10]])


def test_the_proposal_is_the_one_of_highest_expected_improvement_by_the_textbook():
    """The posterior over all 729 architectures by plain linear algebra, from one-hot distances."""
    space = FlatSpace()
    strategy = strategy_of(space, random_share=0.0, target="standardised")
    trials = search(strategy, 45, rugged)
    proposal = strategy.ask(derive_rng(0, "ask", 45), ())
    pool = list(space.enumerate())
    length = proposal.note["hyperparameter"]

    def covariance(rows, others):
        return np.exp([[-sum(a[n] != b[n] for n in a) / length for b in others] for a in rows])

    seen = [trial.architecture for trial in trials]
    wanted = targets(trials, "standardised", strategy.problem)
    gram, cross = covariance(seen, seen) + NOISE * np.eye(45), covariance(seen, pool)
    mean = cross.T @ np.linalg.solve(gram, wanted)
    variance = 1 - np.einsum("ij,ij->j", cross, np.linalg.solve(gram, cross))
    worth = expected_improvement(mean, np.sqrt(variance), wanted.min())
    known = [one in seen for one in pool]
    best = max(w for w, k in zip(worth, known, strict=True) if not k)
    assert worth[pool.index(proposal.architecture)] == pytest.approx(best, rel=1e-3)
    assert proposal.note["expected_improvement"] == pytest.approx(best, rel=1e-3)


def test_the_posterior_is_the_same_however_often_it_was_asked_for():
    """Blocks are kept between asks; a strategy that is asked only once builds them all at once."""
    asked = strategy_of(FlatSpace())
    trials = search(asked, 45, rugged)
    fresh = strategy_of(FlatSpace())
    for trial in trials:
        fresh.tell(trial)
    one, other = (which._fitted(45) for which in (asked, fresh))
    np.testing.assert_array_equal(one.mean, other.mean)
    np.testing.assert_array_equal(one.whitened.variance(), other.whitened.variance())


def test_about_a_tenth_is_random():
    strategy = strategy_of(FlatSpace())
    search(strategy, 12, rugged)
    found = [strategy.ask(derive_rng(3, "ask", i), ()).note["operator"] for i in range(300)]
    assert 10 <= found.count("random") <= 55
    none = strategy_of(FlatSpace(), random_share=0.0)
    search(none, 12, rugged)
    assert {none.ask(derive_rng(3, "ask", i), ()).note["operator"] for i in range(30)} == {"surrogate"}


def test_pending_trials_push_the_next_away():
    space = FlatSpace()
    strategy = strategy_of(space, random_share=0.0)
    search(strategy, 15, rugged)
    pending: list[Trial] = []
    for number in range(5):
        one = strategy.ask(derive_rng(0, "more", number), tuple(pending)).architecture
        assert one not in [trial.architecture for trial in pending]
        pending.append(Trial(15 + number, one, space.key(one), losses=(float("inf"),)))
    alone = strategy._expected_improvements(strategy._fitted(15), ())
    among = strategy._expected_improvements(strategy._fitted(15), pending)
    neighbours = [strategy._fitted(15).pool.architectures.index(n) for n in space.neighbours(pending[0].architecture)]
    assert np.mean(among[neighbours]) < np.mean(alone[neighbours])


def test_beyond_the_limit_it_learns_from_the_best_and_the_latest():
    strategy = strategy_of(FlatSpace(), max_points=10)
    trials = search(strategy, 40, rugged)
    kept = strategy._training(40)
    assert len(kept) <= 10
    best = sorted(trials, key=lambda trial: trial.rank)[:5]
    assert {trial.number for trial in [*best, *trials[-5:]]} == {trial.number for trial in kept}
    assert strategy.ask(derive_rng(0, "ask", 40), ())


def test_real_numbers_are_searched_by_candidates():
    def loss(trial):
        return abs(np.log(trial.architecture.get("rate", 1.0)) - np.log(0.07))

    trials = search(strategy_of(ConditionalSpace()), 45, loss)
    assert np.mean([trial.losses[0] for trial in trials[30:]]) < np.mean([trial.losses[0] for trial in trials[:10]]) / 2


def test_the_kernel_is_the_one_of_the_options():
    assert isinstance(strategy_of(FlatSpace())._kernel, HammingKernel)
    assert strategy_of(FlatSpace(), kernel="graph")._kernel.grid == (0.0, 1.0, 2.0, 3.0)


@pytest.mark.slow
def test_it_reproduces_the_reference_curve():
    """NAS-Bench-201, CIFAR-10, mean test accuracy of the trainings of 200 epochs."""
    path = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201" / "nasbench201.npz"
    if not path.exists():
        pytest.skip("needs nasbench201/nasbench201.npz in AUTOML_DATA_DIR")
    stored, seeds, best = np.load(path, allow_pickle=False), 20, []
    goal, names = Goal((Objective("test_accuracy", "max"),)), [str(name) for name in stored["op_names"]]
    cells = [tuple(names[operation] for operation in row) for row in stored["ops"]]
    table = dict(zip(cells, stored["cifar10_test_200_mean"].astype(float), strict=True))
    for seed in range(seeds):
        strategy = Gp(Problem(NasBench201(), goal, 150, seed, "architecture"))
        trials = search(strategy, 150, lambda trial: -table[tuple(trial.architecture.values())])
        best.append(np.maximum.accumulate([-trial.losses[0] for trial in trials]))
    for count, (mean, deviation) in ROW.items():
        tolerance = 3 * deviation * np.sqrt(1 / seeds + 1 / 30)
        assert np.mean([row[count - 1] for row in best]) == pytest.approx(mean, abs=tolerance), count
