"""Optuna's samplers on the table of NAS-Bench-201, CIFAR-10: mean best test accuracy after so many evaluations.

The reference rows were measured with Optuna's own repeats; masked, as here, a strategy may be better but not worse.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng
from automl_plugins.strategies.nsga2 import Nsga2
from automl_plugins.strategies.tpe import Tpe
from automl_spaces.nas_bench_201 import OPERATIONS, NasBench201

TABLE = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201" / "nasbench201.npz"
EDGES = ("edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3")
REFERENCE = {
    "tpe": (
        Tpe,
        {"startup_trials": 25},
        {20: (93.33, 0.37), 50: (93.98, 0.28), 100: (94.28, 0.15), 150: (94.36, 0.04)},
    ),
    "nsga2": (
        Nsga2,
        {"population_size": 20},
        {50: (93.78, 0.25), 100: (94.11, 0.23), 150: (94.27, 0.15), 200: (94.35, 0.05)},
    ),
}
SEEDS = 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not TABLE.is_file(), reason="the table nasbench201.npz is not in AUTOML_DATA_DIR"),
]


@pytest.fixture(scope="module")
def accuracy():
    """Test accuracy of a cell, by its operations."""
    with np.load(TABLE, allow_pickle=False) as table:
        names = [str(name) for name in table["op_names"]]
        cells = [tuple(names[i] for i in row) for row in table["ops"]]
        return dict(zip(cells, table["cifar10_test_200_mean"].tolist(), strict=True))


def best_so_far(strategy, options, accuracy, seed, asks):
    space = NasBench201()
    made = strategy(Problem(space, Goal((Objective("accuracy", "max"),)), asks, seed), strategy.Options(**options))
    found = []
    for number in range(asks):
        proposal = made.ask(derive_rng(seed, "ask", number), ())
        one = proposal.architecture
        found.append(accuracy[tuple(one[edge] for edge in EDGES)])
        made.tell(Trial(number, one, space.key(one), TrialState.COMPLETED, losses=(-found[-1],), note=proposal.note))
    return np.maximum.accumulate(found)


def test_the_table_lists_the_operations_of_the_space(accuracy):
    assert {operation for cell in accuracy for operation in cell} == set(OPERATIONS)


@pytest.mark.parametrize("name", REFERENCE)
def test_curve_is_not_below_the_reference(name, accuracy):
    strategy, options, row = REFERENCE[name]
    curves = np.array([best_so_far(strategy, options, accuracy, seed, max(row)) for seed in range(SEEDS)])
    for evaluations, (mean, spread) in row.items():
        tolerance = 3 * spread * np.sqrt(1 / SEEDS + 1 / 40)
        assert curves[:, evaluations - 1].mean() > mean - tolerance, f"after {evaluations} evaluations"
