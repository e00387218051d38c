"""A trained model as an MLflow run below its study's, with the model itself logged by `mlflow.pytorch.log_model`.

The model is logged as a graph (`serialization_format="pt2"`), which holds no pickles. A network that torch cannot trace
is logged as its weights and facts alone, with a warning.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl import Study, Task, TaskError, TrainedModel
from automl_plugins.trackers._mlflow_mirror.connection import Connection, gentle_sqlite
from automl_plugins.trackers._mlflow_mirror.content import Point, flat, params_of, tags_of
from automl_plugins.trackers._mlflow_mirror.parent import parent_of
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.views import models_view
from automl_plugins.trackers._mlflow_mirror.writer import ENVIRONMENT

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_EXAMPLES = 4
_SHOWN_DATA = 1_000
_DIGEST_LENGTH = 36
"""MLflow's limit."""


def log_model(study: Study, model: TrainedModel, task: Task, place: Place) -> str | None:
    """Write the run of a model, unless it was written to its end; return why its network is not in it, if so."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    import mlflow

    with gentle_sqlite(place), _quiet():
        connection = Connection(place, study.definition.project)
        for known in connection.runs(study.record.uid, "model"):
            if known.tags.get("automl.model") == model.digest and known.status == "FINISHED":
                return None
        before = mlflow.get_tracking_uri()
        mlflow.set_tracking_uri(place.uri)
        try:
            return _write(connection, study, model, task, place)
        finally:
            mlflow.set_tracking_uri(before)


def _write(connection: Connection, study: Study, model: TrainedModel, task: Task, place: Place) -> str | None:
    import mlflow

    record = model.record
    parent = parent_of(connection, study, place)
    owner = study.record
    connection.keep_views([models_view(owner.name, owner.uid, owner.created, parent, sorted(record.metrics))])
    with mlflow.start_run(
        experiment_id=connection.experiment_id,
        run_name=f"model: trial {record.trial}, seed {record.seed}",
        tags=_tags(study, model, parent),
    ) as run:
        run_id = str(run.info.run_id)
        inputs, targets = _some(task)
        _log_data(model, inputs, targets)
        connection.write(run_id, params=_params(model), points=_points(model))
        mlflow.log_artifacts(str(model.folder), "files")
        return _log_network(model, inputs)


def _log_network(model: TrainedModel, inputs: npt.NDArray[np.float32]) -> str | None:
    """Log the network as a graph; return why torch cannot trace it, where it cannot."""
    import mlflow.pytorch
    import torch
    from mlflow.models import infer_signature

    network = model.network()
    example = inputs[:_EXAMPLES] if len(inputs) else model.example_inputs(_EXAMPLES).numpy()
    with torch.inference_mode():
        outputs = network(torch.from_numpy(example)).numpy()
    try:
        mlflow.pytorch.log_model(
            network,
            name="model",
            signature=infer_signature(example, outputs),
            input_example=example,
            serialization_format="pt2",
            pip_requirements=[f"torch=={torch.__version__.partition('+')[0]}"],
            metadata={"automl": model.digest},
        )
    except (RuntimeError, ValueError, TypeError) as error:
        return (str(error).strip().splitlines() or [type(error).__name__])[0]
    return None


def _log_data(model: TrainedModel, inputs: npt.NDArray[np.float32], targets: npt.NDArray[Any]) -> None:
    """Log the data set by name, shape and digest; of its content only the first examples make the profile."""
    import mlflow
    from mlflow.data.numpy_dataset import from_numpy

    facts = model.record.task
    data = from_numpy(inputs, targets=targets, name=facts.name, digest=facts.digest[:_DIGEST_LENGTH])
    mlflow.log_input(data, context="training")


def _some(task: Task) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
    """Return the first training examples of ``task``; none where its data cannot be read any more."""
    import torch

    with contextlib.suppress(TaskError, StopIteration):
        inputs, targets = next(task.split("train").batches(_SHOWN_DATA, torch.device("cpu")))
        return inputs.numpy(), targets.numpy()
    empty = torch.empty(0, *task.input_shape)
    return empty.numpy(), torch.empty(0).numpy()


def _tags(study: Study, model: TrainedModel, parent: str) -> dict[str, str]:
    record = model.record
    tags = {
        "mlflow.source.name": "automl",
        "automl.kind": "model",
        "automl.study": study.name,
        "automl.study_uid": study.record.uid,
        "automl.trial": str(record.trial),
        "automl.seed": str(record.seed),
        "automl.model": model.digest,
        "automl.folder": str(model.folder),
    }
    if parent:
        tags["mlflow.parentRunId"] = parent
    text = [record.title, *([f"```\n{model.explanation}\n```"] if model.explanation else [])]
    return {**tags_of(tags), "mlflow.note.content": "\n\n".join(text)}


def _params(model: TrainedModel) -> dict[str, str]:
    record = model.record
    return params_of(
        flat(
            {
                "architecture": record.architecture,
                "space": record.space.name,
                "task": record.task.name,
                "seed": record.seed,
                "device": record.device,
                record.training.evaluator: record.training.options,
                "parameters": record.training.parameters,
            }
        )
    )


def _points(model: TrainedModel) -> Iterator[Point]:
    ended = Path(model.folder / "model.json").stat().st_mtime
    for name, value in {**model.record.metrics, "train_time": model.record.seconds}.items():
        if value == value and abs(value) != float("inf"):
            yield Point(name, value, 0, ended)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep what MLflow and torch print while they trace a network off the terminal."""
    loggers = [logging.getLogger(name) for name in ("mlflow", "torch.export", "torch._export")]
    levels = [each.level for each in loggers]
    for each in loggers:
        each.setLevel(logging.ERROR)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
