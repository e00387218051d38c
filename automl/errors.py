"""Everything that can go wrong, as one family of exceptions.

A message says what was wrong, what was found and what to do. The command line turns each class into its exit code.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of the command ``automl``."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOTHING_FEASIBLE = 3
    CONFIGURATION = 4
    NOT_AS_EXPECTED = 5
    INTERRUPTED = 130


class AutomlError(Exception):
    """Base class of the errors that a user can cause or mend.

    >>> str(AutomlError("no study named 'x'"))
    "no study named 'x'"
    """

    exit_code = ExitCode.FAILED


class UsageError(AutomlError):
    """The command or the call was wrong."""

    exit_code = ExitCode.USAGE


class ConfigurationError(AutomlError):
    """A study definition, an option or a component name is wrong."""

    exit_code = ExitCode.CONFIGURATION


class PluginError(ConfigurationError):
    """A plugin could not be loaded, or broke the contract it registered for."""


class StoreError(AutomlError):
    """The study store is missing, damaged, foreign, too new, full or read-only."""


class StudyNotFound(StoreError):
    """No study of that name is in the store."""

    exit_code = ExitCode.USAGE


class NameTaken(StoreError):
    """A study or a comparison of that name is in the store already."""

    exit_code = ExitCode.USAGE


class LeaseHeld(StoreError):
    """Another engine owns the study."""


class LeaseLost(StoreError):
    """This engine's lease was taken over while it slept."""


class TaskError(AutomlError):
    """The data of a task is missing or unusable."""

    exit_code = ExitCode.CONFIGURATION


class TestSplitSealed(TaskError):
    """A search asked for the test split, which only a final report may see."""

    __test__ = False


class StrategyError(AutomlError):
    """A strategy raised, or proposed something its contract forbids."""


class InvalidArchitecture(AutomlError):
    """Decisions or a graph do not describe a member of the space."""


class Pruned(AutomlError):
    """Raised by `Context.report` when the study wants no more of this candidate."""


def unknown_name(what: str, found: str, known: Iterable[str], see: str = "") -> str:
    """Return the message for an unknown name, with the nearest right one and the list of known ones.

    >>> print(unknown_name("search space", "nas_cel", ["mlp", "nas_cell"], "automl list"))
    unknown search space 'nas_cel'; did you mean 'nas_cell'?
      known: mlp, nas_cell   (see `automl list`)
    """
    names = sorted(known)
    near = difflib.get_close_matches(found, names, n=1, cutoff=0.5)
    first = f"unknown {what} {found!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    return f"{first}\n  known: {', '.join(names) or 'none'}" + (f"   (see `{see}`)" if see else "")
