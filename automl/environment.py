"""What a study ran on, and with which versions: recorded with it, so that its figures can be traced."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from automl.definition import StudyDefinition
from automl.plugins import Kind, registry
from automl.task import Task
from automl.version import __version__

_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "networkx", "optuna", "sqlalchemy", "mlflow")


def environment() -> dict[str, Any]:
    """Return the platform, its cores, and the versions of Python, this program and its libraries."""
    return {
        "automl": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "libraries": {name: installed_version(name) for name in _LIBRARIES},
    }


def component_versions(definition: StudyDefinition, task: Task) -> dict[str, Any]:
    """Return target, distribution and version of every component that ``definition`` names, by kind and name.

    The task's digest is there too: it says which data the study has seen.
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
    found[f"task {definition.task.name}"]["digest"] = task.digest()
    return found


def installed_version(name: str) -> str | None:
    """Return the version of a distribution, or ``None`` when it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None
