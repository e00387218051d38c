"""Task ``none``: no data at all, for studies whose evaluators look at none, as those of benchmark tables."""

from __future__ import annotations

from typing import NoReturn

from automl import SplitName, Task, TaskError, digest_of


class NoTask(Task):
    """The absence of a task; every look at it raises `TaskError`.

    >>> NoTask().digest() == NoTask().digest()
    True
    """

    @property
    def input_shape(self) -> tuple[int, ...]:
        """There is none."""
        raise _error("an input shape")

    @property
    def output_size(self) -> int:
        """There is none."""
        raise _error("an output size")

    def load(self, split: SplitName) -> NoReturn:
        """Raise `TaskError`."""
        raise _error(f"a {split} split")

    def digest(self) -> str:
        """Return the same digest always."""
        return digest_of("no data")


def _error(what: str) -> TaskError:
    return TaskError(f"the task 'none' has no data, and so not {what}; name a task with --task, as digits or arrays")
