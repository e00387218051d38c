"""What is written of a trained model beside its weights, and how such files are read and replaced."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, field_serializer, field_validator

from automl.definition import ComponentSpec
from automl.errors import AutomlError
from automl.storage.records import numbers_from_json, numbers_to_json
from automl.task import TaskKind

M = TypeVar("M", bound=BaseModel)

FORMAT = 2
"""The newest format that is read. Each file has the oldest that can say what it says: 2 is for networks that chose."""


class ModelError(AutomlError):
    """A trained model is missing, damaged, or of a newer format."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class _Metrics(_Part):
    metrics: dict[str, float]
    """Test metrics, as ``test_accuracy``, if there is a test split; of one network also the last ``train_loss``."""

    @field_validator("metrics", mode="before")
    @classmethod
    def _read(cls, value: Any) -> Any:
        return numbers_from_json(value) if isinstance(value, dict) else value

    @field_serializer("metrics")
    def _write(self, value: dict[str, float]) -> dict[str, float | str]:
        return numbers_to_json(value)


class TaskFacts(_Part):
    """What a model has to know of its task once the data are elsewhere."""

    name: str
    """Name of the task, as `automl list` shows it."""
    options: dict[str, Any] = {}
    """Its options that differ from the defaults."""
    digest: str
    """Digest of the data: `Task.digest`."""
    input_shape: tuple[int, ...]
    """Shape of one input, without the batch axis."""
    output_size: int
    """Classes, or regression targets."""
    kind: TaskKind
    """``classification`` or ``regression``."""
    output_scale: tuple[float, float] = (0.0, 1.0)
    """Offset and factor of a regression: ``offset + factor * output`` is in the unit of the targets as they came."""
    class_names: tuple[str, ...] = ()
    """What the classes are called, in the order of the outputs; empty where the task does not say."""


class Training(_Part):
    """How a network was trained."""

    evaluator: str
    """Name of the evaluator that trained it."""
    options: dict[str, Any]
    """All its options, defaults included."""
    data: tuple[str, ...] = ("train", "validation")
    """Splits it was trained on."""
    examples: int
    """Examples in them."""
    parameters: int
    """Trainable numbers of the network."""


class ModelRecord(_Metrics):
    """The content of ``model.json``."""

    format: int = 1
    """Version of the format."""
    study: str
    """Name of the study."""
    study_uid: str
    """Its unique identifier."""
    trial: int
    """Number of the trial."""
    space: ComponentSpec
    """Search space and its options."""
    architecture: dict[str, Any]
    """`Architecture.to_json`."""
    title: str = ""
    """One line that tells a person what the architecture is."""
    task: TaskFacts
    """The task."""
    training: Training
    """How it was trained."""
    seed: int
    """Seed of weights, order of examples and so on."""
    device: str
    """Torch device it was trained on."""
    seconds: float
    """Seconds of training, added up over interruptions."""
    finished: str
    """When training ended: ISO 8601, UTC."""
    environment: dict[str, Any]
    """Platform and versions: `automl.environment.environment`."""
    weights: str
    """SHA-256 of ``weights.safetensors``, in hexadecimal."""
    chosen: dict[str, tuple[str, ...]] = {}
    """What modules chose that chose in training, by their names; empty for other networks. The weights are those of
    what was chosen alone."""

    @property
    def choices(self) -> str:
        """``chosen`` in one line, as ``1: 2 chebyshev; 2: 3 bspline, 1 rbf``; empty where nothing was."""
        parts = (
            f"{name or 'network'}: " + ", ".join(f"{count} {each}" for each, count in Counter(chosen).most_common())
            for name, chosen in self.chosen.items()
        )
        return "; ".join(parts)


class EnsembleMember(_Metrics):
    """One network of an ensemble."""

    folder: str
    """Its folder, seen from the ensemble's."""
    trial: int
    """Number of its trial."""
    digest: str
    """`TrainedModel.digest`, so that another model in its place is noticed."""


class EnsembleRecord(_Metrics):
    """The content of ``ensemble.json``."""

    format: int = 1
    """Version of the format."""
    study: str
    """Name of the study."""
    study_uid: str
    """Its unique identifier."""
    seed: int
    """Seed with which its members were trained."""
    members: tuple[EnsembleMember, ...]
    """Its members, the best trial first."""


def read_record(path: Path, form: type[M]) -> M:
    """Return the record in a JSON file as ``form``.

    Raises:
        ModelError: there is no such file, or it is damaged or of a newer format.
    """
    try:
        values = json.loads(path.read_bytes())
        if isinstance(values, dict) and values.get("format", 0) > FORMAT:
            raise ModelError(f"{path} has format {values['format']}, and this program reads up to {FORMAT}; update it")
        return form.model_validate(values)
    except FileNotFoundError:
        raise ModelError(
            f"there is no trained model in {path.parent} (no {path.name}); make one with `automl retrain`"
        ) from None
    except (OSError, ValueError, TypeError, ValidationError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise ModelError(f"{path} is damaged ({reason}); retrain the model") from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file at once: a crash leaves the old one, the new one or none."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
