"""Single files as plugins: ``automl search --plugin ./my_method.py``.

A file is a plugin like an installed one, with ``register_*`` hooks or classes marked with `automl.component`. It is
imported by its own name from its own folder, so that worker processes, which have the same path, find it too, and it
may import what lies beside it. Its version is the hash of its text, so that results of an edited file are never taken
for those of the old one; other files that it imports are not in the hash.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from automl.errors import PluginError, UsageError

VARIABLE = "AUTOML_PLUGIN_FILES"
"""Environment variable that tells child processes which files this one has loaded, separated as paths are."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class PluginFile:
    """A plugin file: where it is, and the first digits of the hash of its text."""

    path: Path
    digest: str

    @property
    def module(self) -> str:
        """The name that it is imported by."""
        return self.path.stem

    @classmethod
    def at(cls, path: Path) -> PluginFile:
        """Read a file; raises `UsageError` when there is none, or when it cannot be a module."""
        whole = path.expanduser().resolve()
        if whole.is_dir():
            raise UsageError(f"--plugin {path}: it is a folder; name one Python file, or install the folder with pip")
        if not whole.is_file():
            raise UsageError(f"--plugin {path}: there is no such file; write its path, as ./my_method.py")
        if whole.suffix != ".py" or not whole.stem.isidentifier():
            raise UsageError(
                f"--plugin {path}: the file is imported by its name, so call it by a Python name that ends in .py, "
                "as my_method.py"
            )
        return cls(whole, hashlib.sha256(whole.read_bytes()).hexdigest()[:_DIGITS])

    def load(self) -> ModuleType:
        """Import the file from its own folder; what it raises is let through.

        Raises:
            PluginError: Python finds another module by this name.
        """
        folder = str(self.path.parent)
        if folder not in sys.path:
            sys.path.append(folder)
        importlib.invalidate_caches()
        found = importlib.util.find_spec(self.module)
        origin = found.origin if found else None
        if origin is None or Path(origin).resolve() != self.path:
            raise PluginError(
                f"it cannot be imported as {self.module!r}, which is already the name of {origin or 'a module'}; "
                "rename the file"
            )
        return importlib.import_module(self.module)

    def announce(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Tell the processes that this one starts from now on."""
        known = named_in(environment)
        if self.path not in known:
            environment[VARIABLE] = os.pathsep.join(map(str, (*known, self.path)))


def named_in(environment: Mapping[str, str]) -> list[Path]:
    """Return the files that the environment names.

    >>> named_in({})
    []
    """
    return [Path(part) for part in environment.get(VARIABLE, "").split(os.pathsep) if part]


def place_of(error: BaseException, path: Path) -> str:
    """Return ``, line 7`` for the last line of ``path`` that ``error`` passed through; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f", line {error.lineno}"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""
