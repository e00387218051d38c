"""What a study ran on, and with which versions: recorded with it, so that its figures can be traced."""

from __future__ import annotations

import functools
import logging
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from automl.cascade import Cascade
from automl.definition import StudyDefinition
from automl.errors import AutomlError, ConfigurationError
from automl.plugin_files import PluginFile
from automl.plugins import Kind, registry, use_file
from automl.version import __version__

_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "networkx", "optuna", "cmaes", "sqlalchemy", "mlflow")

_FILE = "plugin "
_IN_FILE = "file"

log = logging.getLogger("automl")


def environment() -> dict[str, Any]:
    """Return the platform, its cores, and the versions of Python, this program and its libraries."""
    return {
        "automl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {name: installed_version(name) for name in _LIBRARIES},
    }


def component_versions(definition: StudyDefinition, cascade: Cascade) -> dict[str, Any]:
    """Return target, distribution and version of every component that ``definition`` names, by kind and name.

    The digests of the task and of the evaluators' tables are there too: they say which data the study has seen. So are
    the single files that were loaded as plugins, with their path for a target and their hash for a version.
    """
    specs: list[tuple[Kind, str]] = [
        ("space", definition.space.name),
        ("strategy", definition.strategy.name),
        ("task", definition.task.name),
        *(("evaluator", spec.name) for spec in definition.evaluators),
        *(("tracker", spec.name) for spec in definition.trackers),
    ]
    found = {}
    for kind, name in specs:
        registration = registry().find(kind, name)
        found[f"{kind} {name}"] = {
            "target": registration.target,
            "distribution": registration.distribution,
            "version": registration.version,
        }
    found[f"task {definition.task.name}"]["digest"] = cascade.task.digest()
    for stage in cascade.stages:
        if digest := stage.evaluator.digest():
            found[f"evaluator {stage.name}"]["digest"] = digest
    for file in registry().files.values():
        found[f"{_FILE}{file.module}"] = {"target": str(file.path), "distribution": _IN_FILE, "version": file.digest}
    return found


def use_files_of(study: str, components: Mapping[str, Any], *, to_read: bool = False) -> None:
    """Load the plugin files that a study was made with, unless a file of the same name is loaded already.

    Args:
        study: its name.
        components: what `component_versions` returned when it began.
        to_read: a file that is missing or cannot be loaded is only warned of, and one that has changed is taken.

    Raises:
        ConfigurationError: a file is missing or has changed, so that the study would not go on as it began.
    """
    for name, was in components.items():
        if was.get("distribution") != _IN_FILE or name.removeprefix(_FILE) in registry().files:
            continue
        path = Path(was["target"])
        try:
            if not to_read:
                _check_file(study, path, was["version"])
            use_file(path)
        except AutomlError as error:
            if not to_read:
                raise
            log.warning("study %s needs the plugin file %s: %s", study, path, str(error).partition(": ")[2] or error)


def _check_file(study: str, path: Path, version: str) -> None:
    """Raise `ConfigurationError` unless the plugin file is there, and the one that the study began with."""
    if not path.is_file():
        raise ConfigurationError(
            f"study {study!r} needs the plugin file {path}, which is missing; put it back, or say where it is now: "
            f"`automl resume {study} --plugin PATH`"
        )
    found = PluginFile.at(path).digest
    if found != version:
        raise ConfigurationError(
            f"the plugin file {path} has changed since study {study!r} began (its hash was {version}, and is {found}); "
            f"restore it, or go on with it as it is: `automl resume {study} --plugin {path}`"
        )


def check_unchanged(study: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to go on with ``study`` on other data; warn when a component has another version than it had.

    Args:
        study: its name.
        was: the versions of its components when it began, of `component_versions`.
        now: their versions now.

    Raises:
        ConfigurationError: the data are others.
    """
    for name, before in was.items():
        found = now.get(name, before)
        if found.get("digest") != before.get("digest"):
            raise ConfigurationError(
                f"the data of {name} have changed since study {study!r} began (or the machine, where it measures one), "
                "so that results could not be compared; restore them, or start a new study"
            )
        if found["version"] != before["version"]:
            what = "%s was version %s when the study began, and is %s now"
            log.warning(what, name, before["version"], found["version"])


@functools.cache
def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or ``None`` when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
