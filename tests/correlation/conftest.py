"""A small correlation on look-ups of numbers: many trials per second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import CorrelationReport, correlate

PROBLEM: dict[str, Any] = {
    "space": "automl_fakes:MlpSpace",
    "evaluators": ("tiny_correlations:Scores", "tiny_correlations:Accuracy"),
    "sample": 40,
    "name": "c",
}


@pytest.fixture
def correlated(tmp_path: Path) -> Callable[..., CorrelationReport]:
    """Return a function that correlates scores with an accuracy in a store of this test's folder."""

    def run(*proxies: Any, **changes: Any) -> CorrelationReport:
        return correlate(proxies, **{**PROBLEM, "storage": str(tmp_path / "automl.db"), **changes})

    return run
