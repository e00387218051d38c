"""Every registered strategy is one: a new entry is tested by being listed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from numpy.random import default_rng

from automl.options import parse_options
from automl.plugins import registry
from automl.strategy import Problem
from automl.testing import StrategySuite
from automl.warm_start import WarmStarted

OPTIONS: dict[str, dict[str, Any] | Callable[[Problem], dict[str, Any]]] = {
    "listed": lambda problem: {"architectures": a_list(problem)},
    "regularized_evolution": {"population_size": 8, "tournament_size": 3},
    "sep_crossover": {"population_size": 8, "tournament_size": 3},
    "bananas": {"initial": 6, "batch_size": 4, "epochs": 20, "layers": 3, "candidates": 12},
    "neural_ucb": {"initial": 6, "batch_size": 4, "steps": 50, "units": 20, "candidates": 20},
    "gp": {"initial": 6, "candidates": 30},
    "tpe": {"startup_trials": 8, "max_tries": 4},
    "optuna_gp": {"startup_trials": 28, "max_tries": 1},
    "cmaes": {"max_tries": 4},
    "nsga2": {"population_size": 8, "max_tries": 4},
    "nsga3": {"population_size": 8, "max_tries": 4},
    "qmc": {"max_tries": 4},
}


LISTED = 100
"""Architectures given to the strategy that has no other: more than a suite asks for."""


def a_list(problem: Problem) -> list[dict[str, Any]]:
    """Return a list for ``problem``, the same for every seed."""
    rng = default_rng(0)
    return [problem.space.sample(rng).to_json() for _ in range(LISTED)]


FIXED = {"listed"}
"""Strategies whose proposals do not depend on the seed."""
SLOW = {"optuna_gp"}
"""Strategies that take a tenth of a second per ask or more."""


def made(name, problem):
    """Return a registered strategy with the options of this file."""
    component = registry().load("strategy", name)
    options = OPTIONS.get(name, {})
    values = options(problem) if callable(options) else options
    return component(problem, parse_options(component, name, values))


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in registry().names("strategy")],
)
class TestEveryRegisteredStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name
        self.differs_with_seed = name not in FIXED

    def make(self, problem):
        return made(self.name, problem)


WARM = ("regularized_evolution", "local_search", "rl_controller", "tpe", "cmaes", "nsga2", "bananas", "gp", "qmc")
"""Strategies of every sort, each of which is another strategy after a warm start."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in WARM[:2] else pytest.mark.slow) for name in WARM]
)
class TestEveryWarmStartedStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self, problem):
        rng = default_rng(3)
        return WarmStarted(made(self.name, problem), [problem.space.sample(rng) for _ in range(4)])
