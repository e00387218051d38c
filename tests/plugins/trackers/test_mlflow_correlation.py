"""The report of a correlation on the run of its study in MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from automl import correlate, load_study, search
from automl_plugins.trackers._mlflow_mirror.correlation import correlation_attachments, correlation_points

PROBLEM: dict[str, Any] = {
    "space": "automl_fakes:MlpSpace",
    "evaluators": ("tiny_correlations:Scores", "tiny_correlations:Accuracy"),
}


def test_figures_are_points_and_the_report_is_files(tmp_path: Path) -> None:
    storage = str(tmp_path / "automl.db")
    report = correlate(**PROBLEM, sample=20, name="c", storage=storage)
    found = correlation_attachments(load_study("c", storage=storage), "completed", 7.0)
    assert sorted(found.files) == ["c-correlations.csv", "c-scatter.png", "c.csv", "c.json", "c.png"]
    assert found.points == list(correlation_points(report, 7.0))
    values = {point.name: point.value for point in found.points}
    assert values["spearman/good"] == report.finding("good").spearman.value
    assert values["precision_at_10_percent/good"] == report.finding("good").precision["10%"]
    assert "spearman/level" not in values
    assert {(point.step, point.time) for point in found.points} == {(20, 7.0)}


def test_other_studies_and_unfinished_ones_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    storage = str(tmp_path / "automl.db")
    search(**PROBLEM, trials=4, study="s", strategy="random_search", storage=storage)
    correlate(**PROBLEM, sample=4, name="c", storage=storage)
    assert not correlation_attachments(load_study("s", storage=storage), "completed", 0.0).files
    assert not correlation_attachments(load_study("c", storage=storage), "interrupted", 0.0).files
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_the_run_of_a_correlation_has_its_report(tmp_path: Path) -> None:
    from mlflow.tracking.client import MlflowClient

    storage = str(tmp_path / "automl.db")
    correlate(**PROBLEM, sample=20, name="c", storage=storage, trackers=["mlflow"], options={"mlflow": {"wait": 120.0}})
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("automl")
    [run] = client.search_runs([experiment.experiment_id], "tags.`automl.kind` = 'study'")
    names = {file.path for file in client.list_artifacts(run.info.run_id, "correlation")}
    assert "correlation/c.png" in names
    assert run.data.metrics["spearman/fewer"] == pytest.approx(1)
