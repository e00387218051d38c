"""What a study ran on, and with which versions: recorded with it, so that its figures can be traced."""

from __future__ import annotations

import functools
import logging
import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from automl.cascade import Cascade
from automl.definition import StudyDefinition
from automl.errors import ConfigurationError
from automl.plugins import Kind, registry
from automl.version import __version__

_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "networkx", "optuna", "cmaes", "sqlalchemy", "mlflow")

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

    The digests of the task and of the evaluators' tables are there too: they say which data the study has seen.
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
    return found


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
                f"the data of {name} have changed since study {study!r} began, so that results could not be "
                "compared; restore them, or start a new study"
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
