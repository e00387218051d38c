"""What a bundle is: a zip file with all that is needed to run a study again and to see that it found the same.

``bundle.json`` has the definition, the versions and digests, and what may keep a replay from being the same;
``trials.json`` every trial as `automl show --json` prints it; ``plugins/`` the single files that the study was made
with; ``model/`` the trained networks of its best trial, if there are any; ``README.md`` the command that replays it.
Nothing in it is executed by reading it.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from automl.bundles.caveats import caveats_of, measured_metrics
from automl.errors import AutomlError, UsageError
from automl.models.trained import trained_models
from automl.storage.records import TrialRecord, numbers_to_json
from automl.study import Study, trial_json

FORMAT = 1
MANIFEST, TRIALS, README = "bundle.json", "trials.json", "README.md"

_LARGEST = 1 << 30


class BundleError(AutomlError):
    """A file is no bundle, or is damaged, or of a newer format."""


class Manifest(BaseModel):
    """The content of ``bundle.json``."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    format: int = FORMAT
    """Version of the format."""
    study: str
    """Name of the study."""
    study_uid: str
    """Its unique identifier."""
    state: str
    """How it ended."""
    definition: dict[str, Any]
    """`automl.definition.StudyDefinition`, seeds included."""
    trials_budget: int
    """Trials that a replay may run: as many as the study did."""
    components: dict[str, Any]
    """Targets, versions and digests: `automl.environment.component_versions`."""
    environment: dict[str, Any]
    """Platform and versions: `automl.environment.environment`."""
    measured: tuple[str, ...] = ()
    """Metrics that are clock readings or the like, which a replay cannot repeat."""
    caveats: tuple[str, ...] = ()
    """Why a replay may find something else; empty where it has to find the same."""
    models: tuple[str, ...] = ()
    """Folders of trained networks in the bundle."""


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read: what it says, and its trials as plain data."""

    path: Path
    manifest: Manifest
    trials: tuple[Mapping[str, Any], ...]


def trial_row(record: TrialRecord) -> dict[str, Any]:
    """Return a trial as bundles hold it: as ``show --json`` prints it, with numbers that are not finite as texts."""
    return {**trial_json(record), "metrics": numbers_to_json(record.metrics)}


def write_bundle(study: Study, path: Path, replay: str) -> Bundle:
    """Write the bundle of ``study`` to ``path``, as a whole or not at all, and return it.

    Args:
        study: one that is not being worked on.
        path: the zip file; one that is there is replaced.
        replay: the command that replays it, for ``README.md``.

    Raises:
        UsageError: the study is running, has no finished trials, or ``path`` cannot be written.
    """
    record = study.record
    if (owner := study.store.owner(record.id)) is not None:
        raise UsageError(f"{owner}; a study is bundled when it has ended")
    rows = tuple(trial_row(one) for one in study.records)
    if not study.spent:
        raise UsageError(f"study {study.name!r} has no finished trials, so that there is nothing to replay")
    files = _model_files(study)
    measured = measured_metrics(study)
    manifest = Manifest(
        study=study.name,
        study_uid=record.uid,
        state=study.state.value,
        definition=dict(record.definition),
        trials_budget=_budget(study),
        components=dict(record.components),
        environment=dict(record.environment),
        measured=measured or (),
        caveats=caveats_of(study, measured),
        models=tuple(sorted({str(Path(name).parent) for name in files})),
    )
    files |= _plugin_files(manifest)
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(README, _readme(manifest, replay))
            archive.writestr(MANIFEST, manifest.model_dump_json(indent=2) + "\n")
            archive.writestr(TRIALS, json.dumps(rows, indent=1, allow_nan=False) + "\n")
            for name, source in sorted(files.items()):
                archive.write(source, name)
        draft.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}; choose another place with -o") from error
    finally:
        draft.unlink(missing_ok=True)
    return Bundle(path, manifest, rows)


def read_bundle(path: Path) -> Bundle:
    """Return the bundle at ``path``.

    Raises:
        UsageError: there is no such file.
        BundleError: it is no bundle, or damaged, or of a newer format.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}; make a bundle with `automl bundle STUDY`")
    try:
        with zipfile.ZipFile(path) as archive:
            if any(archive.getinfo(name).file_size > _LARGEST for name in (MANIFEST, TRIALS)):
                raise BundleError(f"{path} is too large to be a bundle")
            manifest, rows = (json.loads(archive.read(name)) for name in (MANIFEST, TRIALS))
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        reason = str(error).strip("'\"").partition("\n")[0]
        raise BundleError(f"{path} is no bundle, or is damaged ({reason}); make one with `automl bundle`") from error
    if isinstance(manifest, dict) and isinstance(manifest.get("format"), int) and manifest["format"] > FORMAT:
        raise BundleError(
            f"{path} has format {manifest['format']}, and this program reads {FORMAT}; upgrade automl-engine"
        )
    try:
        return Bundle(path, Manifest.model_validate(manifest), tuple(dict(row) for row in rows))
    except (ValidationError, TypeError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise BundleError(f"{path} is damaged ({reason}); make it again with `automl bundle`") from error


def _budget(study: Study) -> int:
    """Return how many trials a replay may run: those that were, or the whole budget where the study ended by itself."""
    budget, spent = study.record.trials_budget, study.spent
    has_ended_itself = study.state.value in ("completed", "exhausted") and study.record.time_budget is None
    return budget if budget is not None and has_ended_itself else spent


def _model_files(study: Study) -> dict[str, Path]:
    """Return the files of the trained networks of the best trial, by their name in the bundle."""
    best = study.best
    models = trained_models(study, best[0].number) if best else []
    found = {}
    for model in models:
        for file in sorted(model.folder.iterdir()):
            if file.is_file():
                found[f"model/trial-{model.record.trial}/seed-{model.record.seed}/{file.name}"] = file
    return found


def _plugin_files(manifest: Manifest) -> dict[str, Path]:
    paths = [Path(one["target"]) for one in manifest.components.values() if one.get("distribution") == "file"]
    return {f"plugins/{path.name}": path for path in paths if path.is_file()}


def _readme(manifest: Manifest, replay: str) -> str:
    components = "\n".join(
        f"- {name}: {one.get('distribution')} {one.get('version')}"
        + (f", digest {one['digest']}" if one.get("digest") else "")
        for name, one in manifest.components.items()
    )
    libraries = "\n".join(f"- {name} {version}" for name, version in manifest.environment.get("libraries", {}).items())
    caveats = (
        "\n".join(f"- {one}" for one in manifest.caveats) or "- nothing that is known: the trials have to be the same"
    )
    models = "\n".join(f"- {one}: `automl.TrainedModel.load({one!r}).network()`" for one in manifest.models)
    return f"""# Study {manifest.study}

This file holds a finished search and all that is needed to run it again: `bundle.json` (definition, seeds, versions,
digests of the data) and `trials.json` (what it found). The data are not in it.

    {replay}

runs it again in a store of its own and compares trial by trial. It refuses where versions or data differ from these:

- automl {manifest.environment.get("automl")}, Python {manifest.environment.get("python")}
{libraries}

{components}

What may differ in a replay:

{caveats}

## Trained networks

{models or "- none: `automl retrain` trains the best one, and `automl bundle` then takes it along"}
"""
