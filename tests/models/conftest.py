"""A finished study of small perceptrons on two dozen tiny images, to retrain from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl.api import search
from automl.models.plan import Plan, plan_of
from automl.study import Study

HOME = "automl.testing.problems"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return search(
        space=f"{HOME}:ConditionalSpace",
        task=f"{HOME}:TinyTask",
        strategy="random_search",
        evaluators=("train",),
        options={"train": {"epochs": 1}},
        trials=4,
        execution={"devices": ("cpu",), "threads": 1},
        storage=str(tmp_path_factory.mktemp("retrain") / "automl.db"),
    )


@pytest.fixture
def study(finished: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, with an empty folder for its models."""
    for module in ("automl.models.trained", "automl.runner"):
        monkeypatch.setattr(f"{module}.artifacts_folder", lambda _: tmp_path / "artifacts")
    return finished


@pytest.fixture
def plan_for(study: Study) -> Callable[..., Plan]:
    """Return a function that makes a plan of four epochs, or as the options of `train` say."""

    def plan(*, trials: tuple[int, ...] = (0,), seeds: tuple[int, ...] = (0,), **options: Any) -> Plan:
        definition = study.definition
        [train] = definition.evaluators
        changed = train.model_copy(update={"options": {**train.options, "epochs": 4, **options}})
        return plan_of(study, definition.model_copy(update={"evaluators": (changed,)}), trials=trials, seeds=seeds)

    return plan
