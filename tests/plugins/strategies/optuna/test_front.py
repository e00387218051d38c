"""Two objectives on a real table: accuracy against latency, where the exact front is known."""

import os
from pathlib import Path

import numpy as np
import pytest

from automl import Goal, Objective, Problem, Trial, TrialState, derive_rng, pareto_front
from automl.hypervolume import hypervolume, hypervolumes, inverted_generational_distance
from automl.options import parse_options
from automl.plugins import registry
from automl_plugins.strategies.nsga2 import Nsga2
from automl_plugins.strategies.random_search import RandomSearch
from automl_spaces.nas_bench_201 import NasBench201

HOME = Path(os.environ.get("AUTOML_DATA_DIR", "")) / "nasbench201"
GOAL = Goal((Objective("val_accuracy", "max"), Objective("latency_ms_edgegpu", "min")))
REFERENCE = (-80.0, 15.0)
ASKS, SEEDS = 300, 10

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (HOME / "nasbench201.npz").is_file() or not (HOME / "hw_nas_bench.npz").is_file(),
        reason="nasbench201.npz or hw_nas_bench.npz is not in AUTOML_DATA_DIR",
    ),
]


@pytest.fixture(scope="module")
def losses():
    """The losses of every cell, by its answers."""
    evaluator = registry().load("evaluator", "nas_bench_201")
    table = evaluator(parse_options(evaluator, "nas_bench_201", {"devices": ["edgegpu"]}))
    columns = {column.metric.name: column.values for column in table.columns()}
    values = np.column_stack([-columns["val_accuracy"], columns["latency_ms_edgegpu"]]).astype(float)
    return {tuple(sorted(row.items())): tuple(own) for row, own in zip(table.answers(), values.tolist(), strict=True)}


def found_by(strategy, losses, seed):
    """Return the losses of the told trials, in order."""
    space, found = NasBench201(), []
    made = strategy(Problem(space, GOAL, ASKS, seed), strategy.Options())
    for number in range(ASKS):
        proposal = made.ask(derive_rng(seed, "ask", number), ())
        one = proposal.architecture
        found.append(losses[tuple(sorted(one.items()))])
        made.tell(Trial(number, one, space.key(one), TrialState.COMPLETED, losses=found[-1], note=proposal.note))
    return found


def test_nsga2_is_nearer_to_the_exact_front_than_random_search(losses):
    every = list(losses.values())
    inside = [point for point in every if point[0] < REFERENCE[0] and point[1] < REFERENCE[1]]
    front = [inside[i] for i in pareto_front(inside)]
    exact = hypervolume(front, REFERENCE)
    volumes, distances = {}, {}
    for strategy in (Nsga2, RandomSearch):
        runs = [found_by(strategy, losses, seed) for seed in range(SEEDS)]
        curves = [hypervolumes(run, REFERENCE) for run in runs]
        assert all(curve == sorted(curve) for curve in curves)
        volumes[strategy] = [curve[-1] for curve in curves]
        distances[strategy] = [inverted_generational_distance(run, front) for run in runs]
    assert all(volume <= exact * (1 + 1e-12) for found in volumes.values() for volume in found)
    assert np.median(volumes[Nsga2]) > np.median(volumes[RandomSearch])
    assert np.median(distances[Nsga2]) < np.median(distances[RandomSearch])
