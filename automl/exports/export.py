"""Exporting a trained model: every format written and verified, and a card that says what it is."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.errors import AutomlError, ConfigurationError, ExitCode
from automl.exporter import Exportable, Exporter
from automl.exports.card import CARD, model_card, scale_text
from automl.exports.verification import BATCHES, Check, comparison_inputs, verify
from automl.models.ensemble import TrainedEnsemble
from automl.models.record import ModelRecord
from automl.models.trained import TrainedModel
from automl.options import parse_options
from automl.plugins import isolated, registry
from automl.study import Study
from automl.task import Task

if TYPE_CHECKING:
    from torch import Tensor, nn


class NotVerified(AutomlError):
    """A format could not be written or loaded, or gives other outputs; what was written is left where it is."""

    exit_code = ExitCode.NOT_AS_EXPECTED


@dataclass(frozen=True)
class Subject:
    """What is exported.

    Attributes:
        network: on the CPU, in evaluation mode.
        records: of the trainings of one architecture, one for each seed; the first is the network's.
        example: random inputs.
        study: where it was found, if that is at hand.
        members: the trials whose networks are averaged; empty for a single network.
    """

    network: nn.Module
    records: Sequence[ModelRecord]
    example: Tensor
    study: Study | None
    members: tuple[int, ...] = ()

    @classmethod
    def of_models(cls, models: Sequence[TrainedModel], study: Study | None) -> Subject:
        """Return the first of ``models``, which are of one trial, one for each seed it was trained with."""
        first = models[0]
        return cls(first.network(), [each.record for each in models], first.example_inputs(max(BATCHES)), study)

    @classmethod
    def of_ensemble(cls, ensemble: TrainedEnsemble, study: Study | None) -> Subject:
        """Return an ensemble; its record is that of its best member, with all architectures and its own metrics."""
        records = [member.record for member in ensemble.members]
        trials = tuple(record.trial for record in records)
        listed = " | ".join(f"trial {record.trial}: {record.title}" for record in records)
        parameters = sum(record.training.parameters for record in records)
        record = records[0].model_copy(
            update={
                "title": f"the mean of what {len(records)} networks predict ({listed})",
                "architecture": {f"trial {each.trial}": each.architecture for each in records},
                "training": records[0].training.model_copy(update={"parameters": parameters}),
                "metrics": ensemble.record.metrics,
                "chosen": {},
                "seconds": sum(record.seconds for record in records),
            }
        )
        example = ensemble.members[0].example_inputs(max(BATCHES))
        return cls(ensemble.network(), [record], example, study, trials)


def export_subject(
    subject: Subject,
    exporters: Mapping[str, Exporter],
    folder: Path,
    tell: Callable[[str], None] = lambda line: None,
) -> list[Check]:
    """Write a network in every format, verify each in a fresh process, and write the card.

    A format that the network cannot be written in is a check that says so, like one that gives other outputs.

    Args:
        subject: the network.
        exporters: by name.
        folder: where to; made if need be. Files of the same names are replaced, others left alone.
        tell: given a line for each format, before it is written.

    Raises:
        ConfigurationError: the folder cannot be written to.
        ModelError: the model is damaged.
    """
    record, network = subject.records[0], subject.network
    for name, exporter in exporters.items():
        if subject.members and exporter.needs_automl:
            raise ConfigurationError(
                f"the format {name} holds one network, and an ensemble is several; export them one by one (--trial N)"
            )
    task = task_of(record)
    real = None if task is None else real_inputs(task)
    preparation = "" if task is None else task.preparation
    exportable = Exportable(network, subject.example, record, _description(record, preparation))
    _make(folder)
    checks = []
    inputs = comparison_inputs(subject.example, real)
    for name, exporter in exporters.items():
        tell(f"writing and verifying {name}")
        try:
            files = exporter.write(exportable, folder)
        except ConfigurationError as error:
            checks.append(Check(name, (), None, exporter.tolerance, "nothing", None, str(error)))
        else:
            checks.append(verify(name, exporter, files, folder, network, inputs))
    card = model_card(subject.study, subject.records, exporters, checks, folder, preparation, members=subject.members)
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
        *([f"Chosen in training, by module: {record.choices}"] if record.chosen else []),
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
