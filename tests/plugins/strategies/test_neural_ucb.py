import importlib

import numpy as np
import pytest
from driving import count_of_a, search

from automl import Goal, Objective, Problem
from automl.testing.problems import CellSpace, FlatSpace
from automl_plugins.strategies._surrogates.encoding import columns_of
from automl_plugins.strategies.neural_ucb import NeuralUcb

GOAL = Goal((Objective("score", "max"),))
QUICK = {"steps": 200, "candidates": 60, "batch_size": 5}


def strategy_of(space, seed=0, **options):
    return NeuralUcb(Problem(space, GOAL, seed=seed), NeuralUcb.Options(**{**QUICK, **options}))


@pytest.mark.parametrize("options", [{}, {"acquisition": "thompson"}, {"covariance": "full"}, {"batch_size": 1}])
def test_it_learns(options):
    trials = search(strategy_of(FlatSpace(), **options), 35, count_of_a)
    first, last = (np.mean([trial.losses[0] for trial in part]) for part in (trials[:10], trials[20:]))
    assert last < first - 0.5


@pytest.mark.parametrize("encoding", ["path", "one_hot", "adjacency"])
def test_it_learns_on_graphs(encoding):
    def loss(trial):
        return -float(sum(value is True for value in trial.architecture.values()))

    trials = search(strategy_of(CellSpace(), encoding=encoding), 35, loss)
    assert np.mean([trial.losses[0] for trial in trials[20:]]) < np.mean([trial.losses[0] for trial in trials[:10]])


def test_every_round_starts_from_the_same_weights_whatever_columns_there_are():
    strategy = strategy_of(FlatSpace())
    few, many = columns_of([{"b": 1.0}]), columns_of([{"a": 1.0, "b": 1.0, "c": 1.0}])
    one, other = (strategy._network(columns)._hidden for columns in (few, many))
    np.testing.assert_array_equal(one[:, 0], other[:, 1])
    np.testing.assert_array_equal(one[:, -1], other[:, -1])


@pytest.mark.parametrize(
    ("units", "initial_weights", "is_zero"), [(20, "symmetric", True), (21, "symmetric", True), (20, "gaussian", False)]
)
def test_a_symmetric_start_predicts_nothing(units, initial_weights, is_zero):
    columns = columns_of([{"a": 1.0, "b": 1.0}])
    network = strategy_of(FlatSpace(), units=units, initial_weights=initial_weights)._network(columns)
    found = network.predict(np.random.default_rng(0).normal(size=(50, 2)))
    assert (np.abs(found).max() < 1e-4) == is_zero


def test_the_picks_of_a_round_spread_where_the_published_ranking_would_not():
    """Candidates in two groups of equals: once one of a group is picked, the other group is less known."""
    strategy = strategy_of(FlatSpace(), units=30)
    columns = columns_of([{"a": 1.0, "b": 1.0}])
    known = np.array([[0.0, 0.0]])
    new = np.array([[3.0, 0.0]] * 5 + [[0.0, 3.0]] * 5)
    network = strategy._network(columns)
    picks = strategy._picks(network, known, new, np.random.default_rng(0))
    assert {pick // 5 for pick in picks[:2]} == {0, 1}


def test_the_defaults_are_the_published_ones_where_they_suit_small_budgets():
    options = NeuralUcb.Options()
    assert (options.units, options.steps, options.learning_rate) == (100, 1000, 1e-3)
    assert (options.ridge, options.exploration, options.covariance) == (0.1, 1.0, "diagonal")
    assert 10 <= options.initial <= 20


def test_importing_it_loads_no_torch():
    assert "torch" not in vars(importlib.import_module("automl_plugins.strategies._surrogates.neural"))
