"""A table of what layers take, each measured once on a machine, and kept in the user's cache folder.

One file per kind of device, its name and number of threads, and version of torch: times under other conditions are
never mixed. A file that cannot be read counts as empty, one that cannot be written is not kept; nothing depends on it
but time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from automl_plugins.evaluators._latency.layers import Call

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Conditions:
    """What times depend on, beside the layer."""

    device: str
    name: str
    threads: int
    version: str
    """Of torch."""

    @classmethod
    def of(cls, device: torch.device, threads: int) -> Conditions:
        """Return the conditions on a device of this machine."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else processor()
        return cls(device.type, name, threads, torch.__version__)

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {"device": self.device, "name": self.name, "threads": self.threads, "torch": self.version}


def processor() -> str:
    """Return what the processor of this machine calls itself."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def cache_folder(environment: Mapping[str, str] = os.environ, system: str = sys.platform) -> Path:
    """Return where the tables lie, whether or not the folder exists.

    ``automl/latency`` in ``$XDG_CACHE_HOME`` or ``~/.cache``, on macOS in ``~/Library/Caches``, on Windows in
    ``%LOCALAPPDATA%``.
    """
    if system == "darwin":
        return Path("~/Library/Caches/automl/latency").expanduser()
    variable, usual = ("LOCALAPPDATA", "~/AppData/Local") if system == "win32" else ("XDG_CACHE_HOME", "~/.cache")
    return Path(environment.get(variable) or usual).expanduser() / "automl" / "latency"


class LayerTable:
    """Milliseconds by the description of a call (`Call.key`), for one set of conditions.

    >>> import tempfile
    >>> table = LayerTable(Conditions("cpu", "a processor", 1, "2.6.0"), Path(tempfile.mkdtemp()))
    >>> table.look_up({"relu": lambda: 0.5}), table.look_up({"relu": lambda: 9.0})
    ({'relu': 0.5}, {'relu': 0.5})
    """

    def __init__(self, conditions: Conditions, folder: Path) -> None:
        self._conditions = conditions.as_json()
        digest = hashlib.sha256(json.dumps(self._conditions, sort_keys=True).encode()).hexdigest()[:16]
        self.path = folder / f"{conditions.device}-{digest}.json"

    def look_up(self, wanted: Mapping[str, Callable[[], float]]) -> dict[str, float]:
        """Return the time of each key; those that are not in the table are measured by their function, and kept."""
        known = self._read()
        found = {key: known[key] for key in wanted if key in known}
        new = {key: measured() for key, measured in wanted.items() if key not in found}
        if new:
            self._write({**self._read(), **new})  # what others have written meanwhile stays
        return found | new

    def _read(self) -> dict[str, float]:
        try:
            content = json.loads(self.path.read_bytes())
            if content["format"] != _FORMAT or content["conditions"] != self._conditions:
                return {}
            entries = {str(key): float(value) for key, value in content["milliseconds"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}
        return {key: value for key, value in entries.items() if math.isfinite(value) and value >= 0}

    def _write(self, entries: Mapping[str, float]) -> None:
        content = {"format": _FORMAT, "conditions": self._conditions, "milliseconds": dict(sorted(entries.items()))}
        draft = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
            draft.replace(self.path)


def by_key(calls: list[Call]) -> dict[str, Call]:
    """Return one call of each description."""
    return {call.key: call for call in calls}
