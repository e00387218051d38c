"""Exporting a trained model: every format written and verified, and a card that says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import AutomlError, ConfigurationError, ExitCode
from automl.exporter import Exportable, Exporter
from automl.exports.card import CARD, model_card, scale_text
from automl.exports.verification import BATCHES, Check, comparison_inputs, verify
from automl.models.record import ModelRecord
from automl.models.trained import TrainedModel
from automl.options import parse_options
from automl.plugins import isolated, registry
from automl.study import Study
from automl.task import Task

if TYPE_CHECKING:
    from torch import Tensor


class NotVerified(AutomlError):
    """A format could not be written or loaded, or gives other outputs; what was written is left where it is."""

    exit_code = ExitCode.NOT_AS_EXPECTED


def export_model(
    study: Study,
    models: Sequence[TrainedModel],
    exporters: Mapping[str, Exporter],
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Check]:
    """Write the first of ``models`` in every format, verify each in a fresh process, and write the card.

    A format that the network cannot be written in is a check that says so, like one that gives other outputs.

    Args:
        study: where the architecture was found.
        models: of one trial, one for each seed it was trained with; the first is exported.
        exporters: by name.
        folder: where to; made if need be. Files of the same names are replaced, others left alone.
        tell: given a line for each format, before it is written.

    Raises:
        ConfigurationError: the folder cannot be written to.
        ModelError: the model is damaged.
    """
    model = models[0]
    network, task = model.network(), task_of(model.record)
    real = None if task is None else real_inputs(task)
    example = model.example_inputs(max(BATCHES))
    preparation = "" if task is None else task.preparation
    exportable = Exportable(network, example, model.record, _description(model.record, preparation))
    _make(folder)
    checks = []
    inputs = comparison_inputs(example, real)
    for name, exporter in exporters.items():
        tell(f"writing and verifying {name}")
        try:
            files = exporter.write(exportable, folder)
        except ConfigurationError as error:
            checks.append(Check(name, (), None, exporter.tolerance, "nothing", None, str(error)))
        else:
            checks.append(verify(name, exporter, files, folder, network, inputs))
    card = model_card(study, [each.record for each in models], exporters, checks, folder, preparation)
    (folder / CARD).write_text(card, encoding="utf-8")
    return checks


def require_verified(checks: Sequence[Check], folder: Path) -> None:
    """Raise `NotVerified`, with one line, when a format is not as the network."""
    bad = [check for check in checks if not check.is_verified]
    if bad:
        reasons = "; ".join(f"{check.format}: {check.problem}" for check in bad)
        raise NotVerified(f"not verified, do not use it from {folder}: {reasons}")


def task_of(record: ModelRecord) -> Task | None:
    """Return the task that a model was trained on, with its data, or ``None`` where these are not here any more."""
    facts = record.task

    def make() -> Task:
        component = registry().load("task", facts.name)
        task: Task = component(parse_options(component, facts.name, facts.options))
        task.seal()
        return task

    found = isolated(make)
    digest = found if isinstance(found, Exception) else isolated(found.digest)
    return found if isinstance(found, Task) and digest == facts.digest else None


def real_inputs(task: Task) -> Tensor | None:
    """Return a few inputs of the training split, or ``None`` where there is none."""
    import torch

    found = isolated(lambda: next(iter(task.split("train").batches(max(BATCHES), torch.device("cpu")))))
    return None if isinstance(found, Exception) else found[0]


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot make the folder {folder}: {error.strerror}; name another with -o") from error


def _description(record: ModelRecord, preparation: str) -> list[str]:
    """Return what the network is in plain paragraphs, for the files themselves."""
    shape = ", ".join(map(str, ("batch", *record.task.input_shape)))
    answers = decisions_text(record.architecture)
    metrics = ", ".join(f"{name} {value:.4g}" for name, value in record.metrics.items() if name.startswith("test_"))
    is_classes = record.task.kind == "classification"
    outputs = "one logit for each class" if is_classes else f"one value for each target{scale_text(record.task)}"
    first = f"{record.space.name} network for {record.task.name}, found by automl."
    return [
        first,
        f"Architecture (trial {record.trial} of study {record.study}): {record.title}",
        *([f"Decisions: {answers}"] if answers else []),
        f"Inputs: float32 ({shape}). {preparation}".strip(),
        f"Outputs: float32 (batch, {record.task.output_size}), {outputs}.",
        *([f"On the test split: {metrics}."] if metrics else []),
    ]


def decisions_text(architecture: Mapping[str, object]) -> str:
    """Return the answers of an architecture's decisions; those that are off are left out."""
    return ", ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}"
        for name, value in architecture.items()
        if value is not False
    )
