"""Task ``hf``: a data set of the Hugging Face Hub, or one in a folder, written ``hf:NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field
from torch import Tensor

from automl import Guess, Split, SplitName, Task, TaskKind, digest_of
from automl_plugins.tasks._hugging_face import Opened, Pictures, labelled, open_dataset, pictures, recognise_saved
from automl_plugins.tasks._notices import announce
from automl_plugins.tasks._splits import PARTS
from automl_plugins.tasks._table_contents import PREPARATION, Contents, TableOptions, contents_of


class HfOptions(TableOptions):
    """Options of `Hf`."""

    dataset: str
    """Name on the Hub, as `ylecun/mnist`, or a folder; what follows the colon of `hf:NAME`."""

    config: str | None = None
    """Configuration of the data set, where it has several."""

    revision: str | None = None
    """Version on the Hub, a tag or a commit; the newest by default."""

    target: str | None = None
    """Column to learn; by default the only one of classes, or one called label, target, class or y."""

    image_size: int | None = Field(default=None, ge=1)
    """Side in pixels of the square that images are scaled and cropped to. By default they keep their size when all
    have the same and it is at most 64 a side, and become 32 × 32 otherwise."""

    colour: Literal["auto", "greyscale", "rgb"] = "auto"
    """Channels of images: `auto` is greyscale when no image has colour."""

    horizontal_flip: bool = True
    """Whether a mirrored image means the same thing: true of most photographs, not of digits and letters."""


class Hf(Task):
    """Images with one class each, or a table, loaded by the package ``datasets`` (extra ``hf``).

    A column of images makes it classification of images; otherwise the columns of numbers and categories are features,
    as in the task ``csv``. Splits called train, validation and test are taken as they are, missing ones are drawn from
    train, and a split without classes is left out. Text, sound, several labels and several images an example are not
    supported, and no code of a data set is run. Everything is kept in memory.
    """

    Options = HfOptions
    shorthand = "dataset"
    reads = "a folder that the package datasets has saved"

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        return recognise_saved(path, target)

    @property
    def input_shape(self) -> tuple[int, ...]:
        found = self._contents
        return found.pixels.shape[1:] if isinstance(found, Pictures) else (found.features.shape[1],)

    @property
    def output_size(self) -> int:
        return len(self.classes) or 1

    @property
    def task_kind(self) -> TaskKind:
        return "classification" if self.classes else "regression"

    @property
    def horizontal_flip(self) -> bool:
        return self.is_image and bool(self.options.horizontal_flip)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._contents.classes

    @property
    def output_scale(self) -> tuple[float, float]:
        found = self._contents
        values = None if isinstance(found, Pictures) else found.values
        return (values.mean, values.unit) if values else (0.0, 1.0)

    @property
    def preparation(self) -> str:
        found = self._contents
        if not isinstance(found, Pictures):
            return f"{PREPARATION}; the task hf does it."
        _, height, width = self.input_shape
        return (
            f"Images are scaled until they cover {width} x {height} pixels and cut to their middle, pixels 0 to 255. "
            f"{found.scale.in_words}"
        )

    def load(self, split: SplitName) -> Split:
        return self._contents.split(split)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the task's metrics; ``rmse`` in the unit of the data, ``loss`` as trained on."""
        found = self._contents
        values = None if isinstance(found, Pictures) else found.values
        return values.metrics(self, outputs, targets) if values else super().metrics(outputs, targets)

    def digest(self) -> str:
        """Return a hash of what a search sees: decoded images or encoded features, targets and splits."""
        found = self._contents
        if not isinstance(found, Pictures):
            return digest_of("hf", self.task_kind, str(self.input_shape), *found.classes, *found.bytes())
        arrays = (array[found.rows[part]].tobytes() for part in PARTS for array in (found.pixels, found.labels))
        return digest_of("hf", str(self.input_shape), str(self.horizontal_flip), *found.classes, *arrays)

    @cached_property
    def _contents(self) -> Pictures | Contents:
        options = self.options
        opened = open_dataset(options.dataset, options.config, options.revision)
        target = opened.target(options.target)
        opened = labelled(opened, target)
        image = opened.image_column()
        if image is None:
            return contents_of(opened.table(target), target, options, opened.source)
        return self._pictures(opened, image, target)

    def _pictures(self, opened: Opened, image: str, target: str) -> Pictures:
        options = self.options
        found = pictures(opened, image, target, options, options.image_size, options.colour)
        sizes = {part: len(found.rows[part]) for part in PARTS}
        announce(opened.source, found.pixels.shape[1:], f"{len(found.classes)} classes", sizes)
        return found
