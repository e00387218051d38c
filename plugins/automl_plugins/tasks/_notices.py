"""Say once per process what a task found in its data."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Mapping

from automl import SplitName

_LOG = logging.getLogger("automl")
_SAID: set[str] = set()


def warn_once(message: str) -> None:
    """Log a warning that this process has not logged yet; a worker leaves it to its parent, which loads the same."""
    if multiprocessing.parent_process() is None and _is_new(message):
        _LOG.warning("%s", message)


def tell_once(message: str) -> None:
    """Log what is worth knowing and no fault, once per process."""
    if _is_new(message):
        _LOG.info("%s", message)


def announce(source: str, shape: tuple[int, ...], targets: str, sizes: Mapping[SplitName, int]) -> None:
    """Log one line, once per process, on the data of a task.

    Args:
        source: the task, and where its data are from.
        shape: of one input.
        targets: what is learnt, such as ``10 classes``.
        sizes: examples in each split.
    """
    inputs = f"images of {'x'.join(map(str, shape))}" if len(shape) == 3 else f"rows of {counted(shape[0], 'feature')}"
    divided = ", ".join(f"{size} {name}" for name, size in sizes.items())
    tell_once(f"{source}: {sum(sizes.values())} {inputs}, {targets}; {divided}")


def counted(count: int, noun: str) -> str:
    """Return ``count`` with its noun.

    >>> counted(1, "value"), counted(2, "value")
    ('1 value', '2 values')
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _is_new(message: str) -> bool:
    is_new = message not in _SAID
    _SAID.add(message)
    return is_new
