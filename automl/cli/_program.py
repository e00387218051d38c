"""What to type for this program, and the commands that messages suggest."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from pathlib import Path

from automl.cli._options import DEFAULT_STORAGE

_NAME = "automl"


def program() -> str:
    """Return what starts this program: ``automl`` if the shell finds it, else what this process was started by."""
    if shutil.which(_NAME):
        return _NAME
    started = sys.argv[0]
    if Path(started).name == _NAME and Path(started).is_file():
        return shlex.quote(started)
    if Path(started).name == "cli.py":
        return f"python {shlex.quote(started)}"
    return "python -m automl"


def command(name: str, *words: str, storage: str) -> str:
    """Return a command to type; it names the storage only where it is not the default."""
    is_default = storage == os.environ.get("AUTOML_STORAGE", DEFAULT_STORAGE)
    place = () if is_default else (f"--storage {shlex.quote(storage)}",)
    return " ".join((program(), name, *words, *place))
