"""Trained models in MLflow, on a real SQLite file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from automl import TrainedModel, load_study, search, trained_models
from automl_plugins.trackers.mlflow import Mlflow

HOME = "automl.testing.problems"


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Any:
    from automl.models.plan import plan_of
    from automl.models.retraining import Retraining

    folder = tmp_path_factory.mktemp("models")
    study = search(
        space=f"{HOME}:ConditionalSpace",
        task=f"{HOME}:TinyTask",
        strategy="random_search",
        evaluators=("train",),
        options={"train": {"epochs": 1}},
        trials=1,
        execution={"devices": ("cpu",), "threads": 1},
        study="modelled",
        storage=str(folder / "automl.db"),
    )
    plan = plan_of(study, study.definition, trials=(0,), seeds=(0,))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        Retraining(plan, trackers=(Mlflow(),)).run()
    return plan


@pytest.mark.slow
def test_a_model_is_a_run_with_signature_data_and_metrics(retrained: Any) -> None:
    import mlflow
    import torch
    from mlflow.tracking import MlflowClient

    study, [model] = retrained.study, trained_models(retrained.study)
    uri = Mlflow.tracking_uri(study.store.url)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study.definition.project)
    [run] = client.search_runs([experiment.experiment_id], "tags.`automl.kind` = 'model'")
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test_loss"] == pytest.approx(model.record.metrics["test_loss"])
    assert run.data.tags["automl.model"] == model.digest
    [data] = run.inputs.dataset_inputs
    assert data.dataset.digest == model.record.task.digest
    [logged] = run.outputs.model_outputs
    before = mlflow.get_tracking_uri()
    mlflow.set_tracking_uri(uri)
    try:
        address = f"models:/{logged.model_id}"
        signature = mlflow.models.get_model_info(address).signature
        network = mlflow.pytorch.load_model(address)
    finally:
        mlflow.set_tracking_uri(before)
    assert signature.inputs.inputs[0].shape == (-1, *model.record.task.input_shape)
    inputs = model.example_inputs(5)
    torch.testing.assert_close(network(inputs), model.network()(inputs))


@pytest.mark.slow
def test_a_model_is_written_once(retrained: Any) -> None:
    from mlflow.tracking import MlflowClient

    study, [model] = retrained.study, trained_models(retrained.study)
    Mlflow().model_trained(study, model, retrained.task)
    client = MlflowClient(Mlflow.tracking_uri(study.store.url))
    experiment = client.get_experiment_by_name(study.definition.project)
    assert len(client.search_runs([experiment.experiment_id], "tags.`automl.kind` = 'model'")) == 1


@pytest.mark.slow
def test_an_mlflow_that_cannot_be_reached_is_named(
    retrained: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    study = load_study(retrained.study.name, store=retrained.study.store)
    model = TrainedModel.load(trained_models(study)[0].folder)
    (tmp_path / "file").write_text("no folder")
    with caplog.at_level(logging.WARNING, "automl"):
        Mlflow(Mlflow.Options(tracking_uri=f"sqlite:///{tmp_path}/file/mlflow.db")).model_trained(
            study, model, retrained.task
        )
    assert "is not in MLflow" in caplog.text
    assert "the model is safe" in caplog.text
