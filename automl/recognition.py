"""Recognising data: which of the installed tasks can read a path.

The core knows no task. Every registered one is asked (`automl.Task.recognise`), and the one whose answer is the most
specific reads the path; where two answer alike, the user decides.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from automl.data import data_folder
from automl.errors import AutomlError, PluginError, UsageError

if TYPE_CHECKING:
    from automl.definition import ComponentSpec

Specificity: TypeAlias = Literal[1, 2, 3]

_MOST_FILES = 50
_NAMED = 6

log = logging.getLogger("automl")


@dataclass(frozen=True, slots=True)
class Guess:
    """What a task understood of a path.

    Attributes:
        understood: what it took the path for, on one line: ``40 images in 2 folders: cat, dog``.
        options: of the task, among them the path.
        specificity: 1 if it might be something else, 2 if its form is the task's own, 3 if it carries the task's mark.
        space: name of a search space for such inputs, where the default one does not take them; else empty.
        has_target: whether the data have columns, of which one is the target.

    >>> Guess("a table", {"path": "table.csv"}).specificity
    2
    """

    understood: str
    options: Mapping[str, Any]
    specificity: Specificity = 2
    space: str = ""
    has_target: bool = False


@dataclass(frozen=True, slots=True)
class Recognised:
    """A path that one task reads: the task's name, and its guess."""

    task: str
    guess: Guess

    @property
    def in_words(self) -> str:
        """What was understood, on one line."""
        space = f"; the search space is {self.guess.space}, unless you name another" if self.guess.space else ""
        return f"understood as task {self.task}: {self.guess.understood}{space}"

    def spec(self) -> ComponentSpec:
        """Return the task as a study defines it."""
        from automl.definition import ComponentSpec

        return ComponentSpec(name=self.task, options=dict(self.guess.options))


@dataclass(slots=True)
class _Answers:
    """What the tasks say of one path: guesses, and why it cannot be used by a task that it is meant for."""

    found: list[Recognised] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def best(self, path: Path) -> Recognised | None:
        """Return the most specific answer, ``None`` without any; raises `UsageError` where two are equal."""
        most = max((each.guess.specificity for each in self.found), default=0)
        first = [each for each in self.found if each.guess.specificity == most]
        if len(first) > 1:
            could = " or ".join(f"{each.task} ({each.guess.understood})" for each in first)
            raise UsageError(f"{path}: could be {could}; name the task with --task")
        return first[0] if first else None


def recognise(path: str | Path, *, target: str | None = None, task: str | None = None) -> Recognised:
    """Return the task that can read ``path``, and with which options.

    A folder that no task knows, but that holds one file that a task knows, stands for that file.

    Args:
        path: from the current folder, or else from the folder of data (see `automl.data_folder`).
        target: name of the column to learn, for tables.
        task: the only one to ask.

    Raises:
        UsageError: there is no such path, no task can read it, two can, or ``target`` means nothing to it.
        ConfigurationError: there is no such task.
    """
    where = _found(path)
    answers = _asked(where, target, task)
    best = answers.best(where) or (None if answers.refused else _inside(where, target, task))
    if best is None:
        raise UsageError(answers.refused[0] if answers.refused else _not_understood(where, task))
    if target is not None and not best.guess.has_target:
        raise UsageError(f"--target {target}: {where} is {best.guess.understood} (task {best.task}), without columns")
    return best


def _found(path: str | Path) -> Path:
    if not str(path).strip():
        raise UsageError("the path of the data is empty; name a file or a folder")
    typed = Path(path).expanduser()
    for where in (typed, data_folder() / typed):
        if where.exists():
            return where
    looked = "" if typed.is_absolute() else f" here or in {data_folder()}"
    raise UsageError(f"no file or folder {str(path)!r}{looked}; check the path")


def _asked(path: Path, target: str | None, task: str | None) -> _Answers:
    """Ask every task, or the one that is named."""
    from automl.plugins import isolated, registry

    answers, known = _Answers(), registry()
    for name in [task] if task else known.names("task"):
        try:
            component = known.load("task", name)
        except PluginError as error:
            if task:
                raise
            log.debug("task %s was not asked: %s", name, error)
            continue
        answer = isolated(lambda component=component: component.recognise(path, target))  # type: ignore[misc]
        if isinstance(answer, Guess):
            answers.found.append(Recognised(name, answer))
        elif isinstance(answer, AutomlError):
            answers.refused.append(str(answer))
        elif isinstance(answer, Exception):
            log.warning("task %s failed to look at %s: %s: %s", name, path, type(answer).__name__, answer)
    return answers


def _inside(folder: Path, target: str | None, task: str | None) -> Recognised | None:
    """Return the task of the only file in ``folder`` that one understands."""
    known: dict[Path, _Answers] = {}
    for path in _entries(folder)[:_MOST_FILES] if folder.is_dir() else ():
        if path.is_file():
            answers = _asked(path, target, task)
            if answers.found or answers.refused:
                known[path] = answers
    if len(known) > 1:
        raise UsageError(f"{folder}: holds {_listed([path.name for path in known])}; name one of these files")
    for path, answers in known.items():
        if answers.refused and not answers.found:
            raise UsageError(answers.refused[0])
        return answers.best(path)
    return None


def _not_understood(path: Path, task: str | None) -> str:
    """Return what is there, and what would be understood."""
    from automl.plugins import isolated, registry

    if path.is_file():
        what = f"a file that ends in {path.suffix!r}" if path.stat().st_size else "an empty file"
    else:
        entries = _entries(path)
        endings = Counter(entry.suffix.lower() or "no ending" for entry in entries if entry.is_file())
        folders = sum(entry.is_dir() for entry in entries)
        held = [f"{count} {'file' if count == 1 else 'files'} of {ending}" for ending, count in endings.most_common(3)]
        held += [f"{folders} {'sub-folder' if folders == 1 else 'sub-folders'}"] if folders else []
        what = f"a folder with {', '.join(held)}" if held else "an empty folder"
    names = [task] if task else registry().names("task")
    asked = [isolated(lambda name=name: registry().load("task", name).reads) for name in names]  # type: ignore[misc]
    reads = "; ".join(each for each in asked if isinstance(each, str) and each) or "nothing"
    who = f"the task {task!r} cannot" if task else "no task can"
    return f"{path}: {what}, which {who} read\n  what can be read: {reads}"


def _entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
