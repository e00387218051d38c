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
    "tpe": {"startup_trials": 8, "max_tries": 4},
}


@pytest.mark.parametrize("name", registry().names("strategy"))
class TestEveryRegisteredStrategy(StrategySuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self, problem):
        component = registry().load("strategy", self.name)
        return component(problem, parse_options(component, self.name, OPTIONS.get(self.name, {})))
