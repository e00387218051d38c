"""Every registered evaluator is one: a new entry is tested by being listed."""

from __future__ import annotations

from typing import Any

import pytest
import tiny_tables
from numpy.random import default_rng

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import EvaluatorSuite

OPTIONS: dict[str, dict[str, Any]] = {
    "train": {"epochs": 2},
    "select": {"epochs": 3},
    "surrogate": {"exact": False, "trees": 5},
    "stability": {"steps": 5},
    "quick_train": {"steps": 5},
}
SPACES = {
    "edit_distance": "nas_cell",
    "nas_bench_101": "nas_cell",
    "nas_bench_201": "nas_bench_201",
    "surrogate": "nas_cell",
}
"""Spaces of the evaluators that are made for one; benchmark tables are made up here."""
OURS = ("automl.testing.problems:Landscape", "automl_fakes:Landscape", "automl_fakes:Seeded", "automl_fakes:Partly")


@pytest.fixture(scope="module")
def made_up_tables(tmp_path_factory):
    """Tables that have the cells which the suite draws, and for the surrogate's model some more."""
    folder, cells, rng = tmp_path_factory.mktemp("tables"), registry().load("space", "nas_cell")(), default_rng(0)
    drawn = {cells.key(cell): cell for cell in (cells.sample(rng) for _ in range(60))}
    tiny_tables.write_nas_bench_101(folder, list(drawn.values()))
    tiny_tables.write_nas_bench_201(folder)
    return folder


@pytest.mark.parametrize("name", [*registry().names("evaluator"), *OURS])
class TestEveryRegisteredEvaluator(EvaluatorSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name, made_up_tables, monkeypatch):
        self.name = name
        if name in SPACES:
            monkeypatch.setenv("AUTOML_DATA_DIR", str(made_up_tables))

    def space(self):
        return registry().load("space", SPACES[self.name])() if self.name in SPACES else super().space()

    def make(self):
        component = registry().load("evaluator", self.name)
        return component(parse_options(component, self.name, OPTIONS.get(self.name, {})))
