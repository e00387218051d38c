"""Every registered strategy is one: a new entry is tested by being listed."""

from __future__ import annotations

from typing import Any

import pytest

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import StrategySuite

OPTIONS: dict[str, dict[str, Any]] = {
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


SLOW = {"optuna_gp"}
"""Strategies that take a tenth of a second per ask or more."""


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in registry().names("strategy")],
)
class TestEveryRegisteredStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self, problem):
        component = registry().load("strategy", self.name)
        return component(problem, parse_options(component, self.name, OPTIONS.get(self.name, {})))
