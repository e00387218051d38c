"""Folders of files: one sub-folder per class, all together or under train, validation and test."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from automl import Guess, SplitName, TaskError
from automl_plugins.tasks._notices import warn_once
from automl_plugins.tasks._splits import PARTS, Rows, SplitOptions, draw_splits

_PART_FOLDERS: dict[str, SplitName] = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}
_NAMED = 5
_MOST_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Kind:
    """The files that a task takes.

    Attributes:
        suffixes: lower-case endings.
        noun: what one is called: ``image``.
        passed_over: first letters of sub-folders that are no class.
    """

    suffixes: Collection[str]
    noun: str
    passed_over: str = "."


@dataclass(frozen=True, slots=True)
class File:
    """A file: where it is, its place relative to the folder, its class and the split it was put in."""

    path: Path
    name: str
    label: int
    part: SplitName


def list_files(root: Path, kind: Kind) -> tuple[tuple[str, ...], tuple[File, ...]]:
    """Return class names and files, both sorted, of either arrangement of folders.

    Raises:
        TaskError: there are no two class folders, or no files in them.
    """
    parts = _part_folders(root, kind)
    classes = tuple(sorted(folder.name for folder in _folders(parts["train"], kind)))
    if len(classes) < 2:
        held = f"only {classes[0]!r}" if classes else "none"
        raise TaskError(f"{parts['train']}: expected a sub-folder for each of two classes or more, but found {held}")
    files = []
    for part, folder in parts.items():
        for class_folder in _folders(folder, kind):
            if class_folder.name not in classes:
                raise TaskError(f"{class_folder}: no such class in {parts['train']}; add it there or remove it")
            label = classes.index(class_folder.name)
            found = _files(class_folder, kind)
            files += [File(path, path.relative_to(root).as_posix(), label, part) for path in found]
    if not files:
        endings = ", ".join(sorted(kind.suffixes))
        raise TaskError(f"{root}: no {kind.noun} files; known endings are {endings}")
    return classes, tuple(sorted(files, key=lambda file: file.name))


def recognise_folder(path: Path, kind: Kind, owner: str) -> Guess | None:
    """Return what a folder of class folders holds; ``None`` where no sub-folder holds a file of this kind.

    Args:
        path: any path.
        kind: the files looked for.
        owner: the task that asks, for messages.

    Raises:
        TaskError: such files are there, but not in class folders.
    """
    if not path.is_dir() or not _has_some(path, kind):
        return None
    loose = sum(1 for _ in _direct(path, kind))
    if loose and not _folders(path, kind):
        raise TaskError(
            f"{path}: {loose} {kind.noun} files, but no sub-folders; the task {owner} takes one sub-folder per class"
        )
    classes, files = list_files(path, kind)
    counts = Counter(file.part for file in files)
    given = f" ({', '.join(f'{counts[part]} {part}' for part in PARTS if counts[part])})" if len(counts) > 1 else ""
    understood = f"{len(files)} {kind.noun} files{given}, {len(classes)} classes by folder: {listed(classes)}"
    return Guess(understood, {"path": str(path)})


def divide(files: Sequence[File], classes: Sequence[str], options: SplitOptions, source: str) -> dict[SplitName, Rows]:
    """Return the rows of each split: by folder where there is one, and otherwise drawn from ``train``."""
    by_part: dict[SplitName, Rows] = {
        part: np.array([row for row, file in enumerate(files) if file.part == part], np.int64) for part in PARTS
    }
    given = {part: rows for part, rows in by_part.items() if len(rows)}
    missing = options.shares(*(part for part in PARTS if part not in given))
    labels = np.array([files[row].label for row in by_part["train"]], np.int64)
    drawn = draw_splits(labels, missing, options.seed, source, classes)
    return {**given, **{part: by_part["train"][rows] for part, rows in drawn.items()}}


def check_classes(
    root: Path, classes: Sequence[str], listed_files: Sequence[File], readable: Sequence[File], noun: str
) -> None:
    """Raise `TaskError` for a class that training has no readable file of."""
    remaining = {file.label for file in readable if file.part == "train"}
    for label, name in enumerate(classes):
        if label not in remaining:
            count = sum(file.label == label and file.part == "train" for file in listed_files)
            held = f"none of its {count} {noun} files can be read" if count else f"it holds no {noun} files"
            raise TaskError(f"{root}: class {name!r} is empty: {held}; add {noun}s or remove the folder")


def warn_of_broken(root: Path, broken: Mapping[str, object], noun: str) -> None:
    """Name the first files that were skipped, with the reason, and count the others."""
    for name in sorted(broken)[:_NAMED]:
        warn_once(f"{root}: skipped {name!r}: {broken[name]}")
    if len(broken) > _NAMED:
        warn_once(f"{root}: skipped {len(broken) - _NAMED} more {noun}s that cannot be read")


def listed(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are.

    >>> listed(["a", "b"])
    'a, b'
    """
    more = f" and {len(names) - 2 * _NAMED} more" if len(names) > 2 * _NAMED else ""
    return ", ".join(names[: 2 * _NAMED]) + more


def _part_folders(root: Path, kind: Kind) -> dict[SplitName, Path]:
    """Return the folder of each split if there are such folders alone; otherwise all is ``train``."""
    folders = _folders(root, kind)
    names = {folder.name.lower() for folder in folders}
    if not names & {"train", "training"} or not names <= set(_PART_FOLDERS):
        return {"train": root}
    parts: dict[SplitName, Path] = {}
    for folder in folders:
        part = _PART_FOLDERS[folder.name.lower()]
        if part in parts:
            raise TaskError(f"{root}: {parts[part].name!r} and {folder.name!r} are both {part}; keep one")
        parts[part] = folder
    return parts


def _folders(root: Path, kind: Kind) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] not in kind.passed_over)


def _files(folder: Path, kind: Kind) -> Iterator[Path]:
    """Yield the files at any depth below ``folder``, hidden ones left out."""
    for path in folder.rglob("*"):
        is_hidden = any(name.startswith(".") for name in path.relative_to(folder).parts)
        if path.suffix.lower() in kind.suffixes and path.is_file() and not is_hidden:
            yield path


def _direct(folder: Path, kind: Kind) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.suffix.lower() in kind.suffixes and path.is_file())


def _has_some(folder: Path, kind: Kind) -> bool:
    """Return whether a file of this kind is among the first below ``folder``, which may be the root of a disk."""
    return any(path.suffix.lower() in kind.suffixes for path in islice(folder.rglob("*"), _MOST_LOOKED_AT))
