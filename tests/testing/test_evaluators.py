"""Every registered evaluator is one: a new entry is tested by being listed."""

from __future__ import annotations

from typing import Any

import pytest

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import EvaluatorSuite

OPTIONS: dict[str, dict[str, Any]] = {"train": {"epochs": 2}}
OURS = ("automl.testing.problems:Landscape", "automl_fakes:Landscape", "automl_fakes:Seeded")


@pytest.mark.parametrize("name", [*registry().names("evaluator"), *OURS])
class TestEveryRegisteredEvaluator(EvaluatorSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self):
        component = registry().load("evaluator", self.name)
        return component(parse_options(component, self.name, OPTIONS.get(self.name, {})))
