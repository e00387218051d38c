"""Exporting from the command line: which model, which formats, and what is printed."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.api import load_study
from automl.cli._output import console, print_json, table
from automl.cli._program import command
from automl.cli._which import trial_number
from automl.errors import UsageError, unknown_name
from automl.exports.api import default_folder, exporters_of, find_ensemble
from automl.exports.card import CARD
from automl.exports.export import Subject, export_subject, require_verified
from automl.exports.verification import Check
from automl.models.trained import TrainedModel, trained_models
from automl.study import Study


def export_and_report(
    name: str,
    trial: str,
    formats: Sequence[str],
    out: Path | None,
    seed: int | None,
    settings: Sequence[str],
    storage: str,
    *,
    ensemble: int | None,
    as_json: bool,
) -> None:
    """Export a model of a study, or an ensemble, and print what came of it.

    Raises:
        AutomlError: the model, a format or a package is not there; nothing was written.
        NotVerified: a format is not as the network.
    """
    exporters = exporters_of(formats, _settings(settings, formats))
    study = load_study(name, storage=storage)
    if ensemble is not None:
        if trial != "best":
            raise UsageError(f"--ensemble: it has members of its own, so --trial {trial} means nothing; drop one")
        subject = Subject.of_ensemble(find_ensemble(study, ensemble, seed), study)
    else:
        subject = Subject.of_models(_models(study, trial_number(study, trial), seed, storage), study)
    folder = out or default_folder(subject)
    checks = export_subject(subject, exporters, folder, lambda line: print(line, file=sys.stderr))
    if as_json:
        print_json(_json(subject, checks, folder))
    else:
        _print(subject, checks, folder)
    require_verified(checks, folder)


def _settings(settings: Sequence[str], formats: Sequence[str]) -> Mapping[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for text in settings:
        where, sign, value = text.partition("=")
        name, dot, option = where.partition(".")
        if not (sign and dot):
            raise UsageError(f"--set {text}: write FORMAT.OPTION=VALUE, as onnx.opset=18")
        if name not in formats:
            raise UsageError(f"--set {text}: {unknown_name('format of this export', name, formats)}")
        found.setdefault(name, {})[option] = value
    return found


def _models(study: Study, trial: int, seed: int | None, storage: str) -> list[TrainedModel]:
    """Return the models of a trial, the one to export first; raises `UsageError` where it is not there."""
    models = trained_models(study, trial)
    if not models:
        known = sorted({model.record.trial for model in trained_models(study)})
        others = f" (retrained are: {', '.join(map(str, known))})" if known else ""
        first = command("retrain", study.name, "--trial", str(trial), storage=storage)
        raise UsageError(f"trial {trial} of {study.name} is not retrained yet{others}; run `{first}` first")
    if seed is None:
        return models
    chosen = [model for model in models if model.record.seed == seed]
    if not chosen:
        seeds = ", ".join(str(model.record.seed) for model in models)
        raise UsageError(f"--seed {seed}: trial {trial} of {study.name} was retrained with the seeds {seeds}")
    return [*chosen, *(model for model in models if model.record.seed != seed)]


def _json(subject: Subject, checks: Sequence[Check], folder: Path) -> dict[str, Any]:
    record = subject.records[0]
    return {
        "study": record.study,
        "trial": record.trial,
        **({"ensemble": list(subject.members)} if subject.members else {}),
        "seed": record.seed,
        "folder": str(folder),
        "card": CARD,
        "formats": [
            {
                "format": check.format,
                "files": list(check.files),
                "is_verified": check.is_verified,
                "problem": check.problem or None,
                "difference": check.difference if check.difference == check.difference else None,
                "tolerance": check.tolerance,
                "latency_ms": check.latency.median if check.latency else None,
                "latency_quartiles_ms": [check.latency.lower, check.latency.upper] if check.latency else None,
            }
            for check in checks
        ],
    }


def _print(subject: Subject, checks: Sequence[Check], folder: Path) -> None:
    out, record = console(), subject.records[0]
    what = f"ensemble of {len(subject.members)}" if subject.members else f"trial {record.trial}"
    out.print(f"{what} of {record.study}, seed {record.seed}: {record.title}", soft_wrap=True)
    rows = [
        [
            check.format,
            ", ".join(check.files),
            "yes" if check.is_verified else "NO",
            "" if check.difference is None else f"{check.difference:.1e}",
            str(check.latency or ""),
        ]
        for check in checks
    ]
    head = ["format", "files", "verified", "difference", "latency, batch of 1, 1 thread"]
    out.print(table("", head, rows))
    out.print(f"\nin {folder}, with {CARD}: what it takes, how good it is, how to load it", soft_wrap=True)
