"""Data that live outside the package: where they are looked for, and what is known about them.

Benchmark tables and data sets are too large to ship. They lie in one folder, a sub-folder per source: the one that the
environment variable ``AUTOML_DATA_DIR`` names, else the platform's folder for the data of programs. The environment is
read when something is looked for, never on import.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar, Literal

from automl.errors import ConfigurationError, UsageError, unknown_name
from automl.options import Component

FileState = Literal["present", "intact", "differs", "missing", "unreadable"]

_VARIABLE = "AUTOML_DATA_DIR"
_BLOCK = 1 << 20


class DataError(ConfigurationError):
    """Data that live outside the package are missing or damaged."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file of a source. ``sha256`` is known for files that are the same everywhere; converted ones have none.

    >>> DataFile("table.npz", what="all cells").sha256 is None
    True
    """

    name: str
    sha256: str | None = None
    what: str = ""


@dataclass(frozen=True, slots=True)
class FileStatus:
    """Whether a file is there: ``present`` when nothing is known to compare it with.

    Else it is ``intact``, ``differs``, or is ``unreadable``.
    """

    file: DataFile
    path: Path
    state: FileState
    size: int | None


class DataSource(Component):
    """A table or data set that lives outside the package, in a folder of its own.

    A subclass says what its files are and where they come from; one for which official public files exist also converts
    those to the form that is read here. A source only describes: nothing is opened before it is asked for.

    >>> class Mine(DataSource):
    ...     folder, files = "mine", (DataFile("table.npz"),)
    >>> Mine().status()[0].state
    'missing'
    """

    kind: ClassVar[str] = "data"
    folder: ClassVar[str] = ""
    """Name of its sub-folder in the data folder."""
    files: ClassVar[tuple[DataFile, ...]] = ()
    licence: ClassVar[str] = "unknown"
    origin: ClassVar[str] = ""
    """Where the files come from, and how to get them."""
    converted: ClassVar[str] = ""
    """Name of the file that `convert` writes; empty when there is nothing to convert."""

    def path(self, name: str = "") -> Path:
        """Return the path of a file of the source, or of its folder; raises `DataError` when it is missing."""
        known = [file.name for file in self.files]
        if name and name not in known:
            raise UsageError(unknown_name(f"file of {self.folder}", name, known, "automl data status"))
        return find_data(f"{self.folder}/{name}" if name else self.folder)

    def status(self, *, verify: bool = True) -> list[FileStatus]:
        """Return the state of each file; ``verify`` compares checksums where one is known, which reads the files."""
        root = data_folder() / self.folder
        return [_status(file, root / file.name, verify) for file in self.files]

    def convert(self, source: Path, target: Path) -> None:
        """Write the official files at ``source`` in the compact form to ``target``, as a whole or not at all.

        Raises:
            UsageError: this source has nothing to convert.
            DataError: ``source`` is not what it should be.
        """
        raise UsageError(f"there are no official files of {self.folder} to convert; {self.origin}")


def data_folder() -> Path:
    """Return the folder in which all sources lie, whether or not it exists.

    ``AUTOML_DATA_DIR`` if that is set; else ``automl`` in ``$XDG_DATA_HOME`` or ``~/.local/share``, on macOS
    in ``~/Library/Application Support``, on Windows in ``%LOCALAPPDATA%``.
    """
    return _folder(os.environ, sys.platform)


def find_data(name: str) -> Path:
    """Return the path of ``name`` (``folder/file``) in the data folder; raises `DataError` when it is missing."""
    path = data_folder() / name
    if path.exists():
        return path
    where = f"the folder that {_VARIABLE} names" if os.environ.get(_VARIABLE) else f"set {_VARIABLE} to look elsewhere"
    raise DataError(
        f"{name} is missing: looked in {data_folder()} ({where}); `automl data status` says what is there "
        "and how to get the rest"
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; a file that has not changed since is not read again."""
    found = path.stat()
    return _sha256(str(path), found.st_mtime_ns, found.st_size)


def _folder(environment: Mapping[str, str], platform: str) -> Path:
    if chosen := environment.get(_VARIABLE):
        return Path(chosen).expanduser()
    if platform == "darwin":
        return Path("~/Library/Application Support/automl").expanduser()
    variable, default = (
        ("LOCALAPPDATA", "~/AppData/Local") if platform == "win32" else ("XDG_DATA_HOME", "~/.local/share")
    )
    return Path(environment.get(variable) or default).expanduser() / "automl"


def _status(file: DataFile, path: Path, verify: bool) -> FileStatus:
    if not path.is_file():
        return FileStatus(file, path, "missing", None)
    size = path.stat().st_size
    if file.sha256 is None or not verify:
        return FileStatus(file, path, "present", size)
    try:
        return FileStatus(file, path, "intact" if sha256_of(path) == file.sha256 else "differs", size)
    except OSError:  # no permission, a disk that fails
        return FileStatus(file, path, "unreadable", size)


@lru_cache(maxsize=256)
def _sha256(path: str, modified: int, size: int) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
