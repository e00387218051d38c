"""A toy search, importable by name in this process and its children; MLflow seen as plain values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from automl import Study, search

HERE = Path(__file__).parent


@dataclass
class Seen:
    """A run in MLflow without its random ids."""

    name: str
    status: str
    start: int
    end: int | None
    tags: dict[str, str]
    params: dict[str, str]
    metrics: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)
    run_id: str = field(default="", compare=False)
    artifact_uri: str = field(default="", compare=False)

    @property
    def folder(self) -> Path:
        return Path(self.artifact_uri.removeprefix("file://"))


@dataclass
class View:
    """The parent run and the children by trial number."""

    parent: Seen
    children: dict[int, Seen]


@pytest.fixture(autouse=True)
def _no_tracking_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@pytest.fixture(scope="session")
def toy() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(HERE)
        yield


@pytest.fixture(scope="session")
def toy_study(toy: None) -> Callable[..., Study]:
    """Return a function that runs the toy search in a folder."""

    def run(folder: Path, *, mlflow: dict[str, Any] | None = None, **changes: Any) -> Study:
        options = {"mlflow": mlflow} if mlflow is not None else {}
        options["toy_search:Product"] = changes.pop("product", {})
        settings: dict[str, Any] = {"trials": 22, "study": "toy", "objectives": ["product:max"], **changes}
        return search(
            space="toy_search:PairSpace",
            strategy="random_search",
            evaluators=["toy_search:Product"],
            storage=str(folder / "automl.db"),
            trackers=["mlflow"] if mlflow is not None else [],
            options=options,
            **settings,
        )

    return run


@pytest.fixture(scope="session")
def look() -> Callable[[str], View]:
    """Return a function that reads everything from MLflow."""
    from mlflow.tracking.client import MlflowClient

    def read(uri: str, experiment: str = "automl") -> View:
        client = MlflowClient(uri)
        found = client.get_experiment_by_name(experiment)
        assert found is not None
        runs = [_seen(client, run) for run in client.search_runs([found.experiment_id], max_results=5_000)]
        parents = [run for run in runs if run.tags["automl.kind"] == "study"]
        children = [run for run in runs if run.tags["automl.kind"] == "trial"]
        assert len(parents) == 1
        assert {run.tags.pop("mlflow.parentRunId") for run in children} <= {parents[0].run_id}
        by_number = {int(run.tags["automl.trial"]): run for run in children}
        assert len(by_number) == len(children)
        return View(parents[0], by_number)

    return read


def _seen(client: Any, run: Any) -> Seen:
    info = run.info
    curves = {name: client.get_metric_history(info.run_id, name) for name in run.data.metrics}
    return Seen(
        info.run_name,
        info.status,
        info.start_time,
        info.end_time,
        {name: value.replace(info.run_id, "RUN") for name, value in run.data.tags.items()},
        dict(run.data.params),
        {name: [(point.step, point.timestamp, point.value) for point in curve] for name, curve in curves.items()},
        info.run_id,
        info.artifact_uri,
    )
