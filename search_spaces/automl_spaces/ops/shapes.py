"""What a space asks of a task's inputs. Imports no torch, so that a study can be checked at the door."""

from __future__ import annotations

from automl import ConfigurationError, Task


def image_shape(task: Task, space: str) -> tuple[int, int, int]:
    """Return ``(channels, height, width)`` of the task's images.

    Raises:
        ConfigurationError: the inputs are no images.
    """
    if not task.is_image:
        raise ConfigurationError(
            f"space {space!r} builds networks for images of shape (channels, height, width), but the task's "
            f"inputs have shape {tuple(task.input_shape)}\n  choose an image task or another space"
        )
    channels, height, width = task.input_shape
    return channels, height, width
