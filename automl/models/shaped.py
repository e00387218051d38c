"""A task without data: its shape is all that a search space needs to build a network."""

from __future__ import annotations

from automl.errors import TaskError
from automl.task import Split, SplitName, Task, TaskKind


class ShapedTask(Task):
    """Stands for a task whose data are not at hand, as where a trained model was sent to.

    >>> ShapedTask((1, 8, 8), 10).is_image
    True
    """

    input_shape: tuple[int, ...] = ()
    output_size: int = 0

    def __init__(self, input_shape: tuple[int, ...], output_size: int, kind: TaskKind = "classification") -> None:
        super().__init__()
        self.input_shape, self.output_size, self._kind = input_shape, output_size, kind

    @property
    def task_kind(self) -> TaskKind:
        return self._kind

    def load(self, split: SplitName) -> Split:
        raise TaskError(f"only the shape of this task is known, so there is no {split} split; give its data")

    def digest(self) -> str:
        return ""
