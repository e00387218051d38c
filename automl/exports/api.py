"""Exporting from Python: what `automl export` does, as a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from automl.errors import UsageError, unknown_name
from automl.exporter import Exporter, check_requirements
from automl.exports.export import Subject, export_subject, require_verified
from automl.exports.verification import Check
from automl.models.ensemble import RECORD as ENSEMBLE_RECORD
from automl.models.ensemble import TrainedEnsemble
from automl.models.trained import RECORD, TrainedModel, models_folder, trained_models
from automl.options import parse_options
from automl.plugins import registry
from automl.study import Study


@dataclass(frozen=True)
class Exported:
    """What an export wrote: the folder, and what came of each format (every one is verified)."""

    folder: Path
    checks: tuple[Check, ...]

    def file(self, format: str) -> Path:
        """Return the file of the network in one format; raises `UsageError` when it was not written."""
        for check in self.checks:
            if check.format == format:
                return self.folder / check.files[0]
        raise UsageError(unknown_name("format of this export", format, [check.format for check in self.checks]))


def export(
    source: Study | TrainedModel | TrainedEnsemble,
    formats: Sequence[str] = ("pt2",),
    *,
    out: str | Path | None = None,
    trial: int | Literal["best"] = "best",
    seed: int | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> Exported:
    """Write a trained network in formats that work elsewhere, verify each in a fresh process, and write its card.

    Args:
        source: a model, an ensemble, or a study with retrained models; of a model the card says nothing of the search.
        formats: names of exporters: ``pt2``, ``onnx``, ``safetensors``, ``python``, ...
        out: folder; by default ``STUDY-trial-N`` in the current one.
        trial: of a study: which architecture.
        seed: of a study: which training; the first by default.
        options: by format: ``{"onnx": {"opset": 18}}``.

    Raises:
        NotVerified: a format could not be written, or gives other outputs.
        UsageError: the trial is not retrained yet.
        ConfigurationError: a format is unknown, or a package that it needs is missing.
    """
    given = {name: dict(of) for name, of in (options or {}).items()}
    exporters = exporters_of(formats, given)
    subject = _subject(source, trial, seed)
    folder = default_folder(subject) if out is None else Path(out)
    checks = export_subject(subject, exporters, folder)
    require_verified(checks, folder)
    return Exported(folder, tuple(checks))


def exporters_of(formats: Sequence[str], options: Mapping[str, dict[str, Any]]) -> dict[str, Exporter]:
    """Return the exporters by name, with their options; raises where one is unknown or lacks a package."""
    if isinstance(formats, str):
        formats = (formats,)
    for name in options:
        if name not in formats:
            raise UsageError(unknown_name("format of this export", name, formats))
    exporters: dict[str, Exporter] = {}
    for name in dict.fromkeys(formats):
        component = registry().load("exporter", name)
        made: Exporter = component(parse_options(component, name, options.get(name, {})))
        check_requirements(name, component)
        exporters[name] = made
    return exporters


def find_ensemble(study: Study, size: int, seed: int | None = None) -> TrainedEnsemble:
    """Return the ensemble of ``size`` networks that was made with ``seed``, by default the least one.

    Raises:
        UsageError: there is none.
    """
    made = (models_folder(study) / f"ensemble-{size}").glob(f"seed-*/{ENSEMBLE_RECORD}")
    folders = {int(path.parent.name.removeprefix("seed-")): path.parent for path in made}
    if not folders:
        raise UsageError(
            f"study {study.name!r} has no ensemble of {size}; run `automl retrain {study.name} --ensemble {size}` first"
        )
    chosen = min(folders) if seed is None else seed
    if chosen not in folders:
        seeds = ", ".join(map(str, sorted(folders)))
        raise UsageError(f"--seed {seed}: the ensemble of {size} was made with the seeds {seeds}")
    return TrainedEnsemble.load(folders[chosen])


def default_folder(subject: Subject) -> Path:
    """Return the folder that an export goes to unless one is named."""
    record = subject.records[0]
    what = f"ensemble-{len(subject.members)}" if subject.members else f"trial-{record.trial}"
    return Path(f"{record.study}-{what}")


def _subject(source: Study | TrainedModel | TrainedEnsemble, trial: int | Literal["best"], seed: int | None) -> Subject:
    if isinstance(source, TrainedEnsemble):
        return Subject.of_ensemble(source, None)
    if isinstance(source, TrainedModel):
        return Subject.of_models([source, *_of_other_seeds(source)], None)
    number = source.best_trial.number if trial == "best" else source.trial(trial).number
    models = trained_models(source, number)
    first = [model for model in models if seed in (None, model.record.seed)][:1]
    if not first:
        which = "" if seed is None else f" with seed {seed}"
        raise UsageError(f"trial {number} of {source.name!r} is not retrained yet{which}; call automl.retrain first")
    return Subject.of_models([*first, *(model for model in models if model is not first[0])], source)


def _of_other_seeds(model: TrainedModel) -> list[TrainedModel]:
    """Return the other trainings of the same architecture, which lie beside it."""
    found = [TrainedModel.load(path.parent) for path in sorted(model.folder.parent.glob(f"seed-*/{RECORD}"))]
    same = (model.record.study_uid, model.record.trial)
    return [one for one in found if (one.record.study_uid, one.record.trial) == same and one.record != model.record]
