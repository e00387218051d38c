"""Versions of Python, of this program and of its libraries, and the plugins."""

from __future__ import annotations

import importlib
import sys

from automl.doctor.finding import Finding
from automl.environment import installed_version
from automl.plugins import isolated, registry
from automl.version import __version__

_OLDEST_PYTHON = (3, 11)
_REQUIRED = {
    "torch": "torch",
    "numpy": "numpy",
    "optuna": "optuna",
    "sqlalchemy": "sqlalchemy",
    "mlflow": "mlflow",
    "scikit-learn": "sklearn",
}
_EXTRAS = {
    "numba": ("fast", "edit distances of large graphs are slower"),
    "onnxruntime": ("onnx", "`automl export --format onnx` does not work"),
}


def versions() -> list[Finding]:
    """Return a finding for each of Python, this program, and the libraries that it is made of."""
    running = ".".join(map(str, sys.version_info[:3]))
    needed = ".".join(map(str, _OLDEST_PYTHON))
    is_old = sys.version_info[:2] < _OLDEST_PYTHON
    found = [
        Finding("python", "fail" if is_old else "ok", running, f"use Python {needed} or newer" if is_old else ""),
        Finding("automl", "ok", __version__),
    ]
    found += [_library(name, module) for name, module in _REQUIRED.items()]
    return found + [_extra(name, *what) for name, what in _EXTRAS.items()]


def plugins() -> list[Finding]:
    """Return how many components there are, and a finding for each plugin from elsewhere and each broken one."""
    known = registry()
    found = [Finding("plugins", "ok", f"{len(known.components)} components of {len(known.plugins)} plugins")]
    for plugin in known.plugins:
        if plugin.distribution != "automl-engine":
            found.append(Finding("plugins", "ok", f"{plugin.plugin} ({plugin.distribution} {plugin.version})"))
    for broken in known.broken:
        whose = f"{broken.distribution} {broken.version}".strip()
        what = f"{broken.plugin} ({whose}) was left out: {broken.error}"
        advice = f"upgrade or remove it: pip install -U {broken.distribution}; `automl list --debug` shows more"
        found.append(Finding("plugins", "warn", what, advice))
    return found


def _library(name: str, module: str) -> Finding:
    version = installed_version(name)
    if version is None:
        return Finding(name, "fail", "not installed", f"pip install {name}")
    broken = isolated(lambda: importlib.import_module(module))
    if isinstance(broken, Exception):
        reason = (str(broken).strip().splitlines() or [type(broken).__name__])[0]
        what = f"{version}, which cannot be imported: {reason}"
        return Finding(name, "fail", what, f"pip install --force-reinstall {name}")
    return Finding(name, "ok", version)


def _extra(name: str, extra: str, without: str) -> Finding:
    version = installed_version(name)
    if version is None:
        return Finding(name, "ok", f"not installed (optional): {without}", f"pip install 'automl-engine[{extra}]'")
    return Finding(name, "ok", version)
