"""A small comparison on a look-up of numbers: many studies per second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import Comparison, compare

PROBLEM: dict[str, Any] = {
    "space": "automl_fakes:MlpSpace",
    "evaluators": ("tiny_strategies:Table",),
    "trials": 12,
}


@pytest.fixture
def compared(tmp_path: Path) -> Callable[..., Comparison]:
    """Return a function that compares evolution with random search in a store of this test's folder."""

    def run(**changes: Any) -> Comparison:
        settings = {"strategies": ["regularized_evolution"], "seeds": 3, "storage": str(tmp_path / "automl.db")}
        return compare(**{**PROBLEM, **settings, **changes})

    return run
