"""Task ``arrays``: images or feature rows with labels or values, from one .npz file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from automl import Guess, SplitName, Task, TaskError, TaskKind, TensorSplit, digest_of
from automl_plugins.tasks._notices import announce, counted
from automl_plugins.tasks._npz import Examples, Layout, read_examples, recognise_archive
from automl_plugins.tasks._splits import PARTS, Numbers, Scale, SplitOptions, draw_splits, find_path
from automl_plugins.tasks._targets import Target, decode_targets


class ArraysOptions(SplitOptions):
    """Options of `Arrays`."""

    path: Path
    """The .npz file, from the current folder or else from the folder that AUTOML_DATA_DIR names."""

    layout: Layout = "auto"
    """Order of the axes of images with channels. `auto` looks for an axis of at most four entries, last or
    second; where both could be it, whole numbers are read as nhwc and floating-point numbers as nchw."""

    target: Target = "auto"
    """What is learnt. `auto` takes targets called `labels` for classes, whatever their type: floating-point
    numbers must then be whole, and one-hot rows are decoded. Targets called `y` are classes if they are
    strings, whole-number types or one-hot rows (with a warning), and values if they are floating-point
    numbers (with a warning if these are whole and few of them differ). `classes` and `values` decide it;
    under `classes` every different number is a class, fractions too."""

    horizontal_flip: bool = False
    """Whether a mirrored image means the same thing: true of most photographs, not of digits and letters."""

    shrink: int = Field(default=1, ge=1)
    """Makes images smaller by as much in height and in width: each pixel is the mean over a square of so many by so
    many. 2 makes 16x16 of 32x32, which train about four times as fast."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """What is in the file, divided: targets are class indices, or standardised values in regression."""

    splits: dict[SplitName, Examples]
    scale: Scale
    outputs: int
    unit: Numbers | None
    """Deviation of the training targets, in regression."""


class Arrays(Task):
    """Examples from an .npz file: ``images`` and ``labels``, or ``x`` and ``y``.

    A single pair is divided by the options; pairs called ``train_images``, ``validation_x``, ``test_y`` or
    ``x_train`` are taken as they are, and only what is missing is drawn from the training pair. Images are
    `(examples, height, width)` or have an axis of channels; rows are `(examples, features)`.

    Targets called ``labels`` are classes: strings, whole numbers of any type, or one-hot rows. Targets called
    ``y`` are values where they are floating-point numbers but not one-hot, and classes otherwise; where that
    is a guess a warning says so. ``task.target=classes`` or ``task.target=values`` decides it. Class labels
    are numbered in sorted order.

    Inputs are standardised with training statistics, per channel or feature; so are
    the targets of a regression, while ``rmse`` is in the unit of the file.
    """

    Options = ArraysOptions
    reads = "an .npz file of images and labels, or of x and y"

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        """Return a guess for an .npz archive whose arrays are named as examples are."""
        if path.suffix.lower() != ".npz" or not path.is_file():
            return None
        return recognise_archive(path)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return self._contents.splits["train"].inputs.shape[1:]

    @property
    def output_size(self) -> int:
        return self._contents.outputs

    @property
    def task_kind(self) -> TaskKind:
        return "classification" if self._contents.unit is None else "regression"

    @property
    def horizontal_flip(self) -> bool:
        return self.is_image and bool(self.options.horizontal_flip)

    @property
    def preparation(self) -> str:
        of_targets = "" if self.task_kind == "classification" else " Outputs are standardised as the targets were."
        by = self.options.shrink
        smaller = "" if by == 1 else f" Pixels are means over squares of {by}x{by}."
        return (
            f"Images have their channels first.{smaller} {self._contents.scale.in_words}{of_targets}"
            if self.is_image
            else (f"{self._contents.scale.in_words}{of_targets}")
        )

    def load(self, split: SplitName) -> TensorSplit:
        examples = self._contents.splits[split]
        inputs = torch.from_numpy(np.ascontiguousarray(self._contents.scale.apply(examples.inputs)))
        return TensorSplit(inputs, torch.from_numpy(examples.targets))

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the task's metrics; ``rmse`` in the unit of the file, ``loss`` as trained on."""
        if self._contents.unit is None:
            return super().metrics(outputs, targets)
        unit = torch.as_tensor(self._contents.unit, device=targets.device)
        scaled = super().metrics(outputs.reshape(targets.shape) * unit, targets * unit)
        return {**scaled, "loss": float(self.loss(outputs, targets))}

    def digest(self) -> str:
        parts: list[bytes | str] = ["arrays", self.task_kind, str(self.horizontal_flip)]
        for name in PARTS:
            examples = self._contents.splits[name]
            for array in (examples.inputs, examples.targets):
                parts += [str(array.dtype), str(array.shape), array.tobytes()]
        return digest_of(*parts)

    @cached_property
    def _contents(self) -> _Contents:
        path = find_path(self.options.path, "file")
        if path.is_dir():
            raise TaskError(f"{path}: a folder, not an .npz file; name a file, or use the task image_folder")
        found = read_examples(path, self.options.layout)
        if self.options.shrink > 1:
            found = {part: _shrunk(examples, self.options.shrink, path) for part, examples in found.items()}
        is_classes, decoded = decode_targets(found, self.options.target, path)
        contents = self._with_classes(decoded, path) if is_classes else self._with_values(decoded, path)
        targets = f"{contents.outputs} classes" if is_classes else counted(contents.outputs, "value") + " each"
        sizes = {part: len(contents.splits[part].targets) for part in PARTS}
        announce(f"arrays {self.options.path}", contents.splits["train"].inputs.shape[1:], targets, sizes)
        return contents

    def _with_classes(self, found: dict[SplitName, Examples], path: Path) -> _Contents:
        names = np.unique(found["train"].targets)
        if len(names) < 2:
            raise TaskError(
                f"{path}: every example is of class {_label(names[0])!r}; there must be two classes or more"
            )
        numbered = {
            part: replace(examples, targets=_class_indices(examples.targets, names, f"{path}: {part}"))
            for part, examples in found.items()
        }
        splits = self._divide(numbered, path, [_label(name) for name in names])
        return _Contents(splits, Scale.of(splits["train"].inputs), len(names), None)

    def _with_values(self, found: dict[SplitName, Examples], path: Path) -> _Contents:
        if found["train"].targets.dtype.kind in "SU":
            raise TaskError(
                f"{path}: task.target=values needs numbers, but the targets are strings; set task.target=classes"
            )
        splits = self._divide(found, path, [])
        train = splits["train"].targets.astype(np.float64)
        mean, unit = train.mean(0), train.std(0)
        if not np.all(unit > 0):
            raise TaskError(f"{path}: all training targets are {mean}; there is nothing to learn")
        scaled = {
            part: replace(examples, targets=((examples.targets - mean) / unit).astype(np.float32))
            for part, examples in splits.items()
        }
        outputs = train.shape[1] if train.ndim > 1 else 1
        return _Contents(scaled, Scale.of(splits["train"].inputs), outputs, np.asarray(unit, dtype=np.float32))

    def _divide(self, found: dict[SplitName, Examples], path: Path, names: list[str]) -> dict[SplitName, Examples]:
        """Return all three splits: those found, and the missing ones drawn from the training examples."""
        missing = self.options.shares(*(part for part in PARTS if part not in found))
        pool = found["train"]
        groups = pool.targets if names else np.zeros(len(pool.targets), np.int64)
        rows = draw_splits(groups, missing, self.options.seed, str(path), names)
        return {
            **found,
            **{part: Examples(pool.inputs[own], pool.targets[own], pool.name) for part, own in rows.items()},
        }


def _shrunk(examples: Examples, by: int, path: Path) -> Examples:
    """Return images `(examples, channels, height, width)` of which each pixel is the mean over a square of ``by``."""
    if examples.inputs.ndim != 4:
        raise TaskError(f"{path}: task.shrink is for images, but the inputs are rows; leave it out")
    count, channels, height, width = examples.inputs.shape
    if height % by or width % by:
        raise TaskError(f"{path}: task.shrink={by} must divide the images' {height}x{width} pixels; take another")
    squares = examples.inputs.reshape(count, channels, height // by, by, width // by, by)
    return replace(examples, inputs=squares.mean(axis=(3, 5), dtype=np.float32))


def _class_indices(labels: Numbers, names: Numbers, source: str) -> Numbers:
    """Return the position of each label in the sorted ``names``."""
    kinds = {labels.dtype.kind, names.dtype.kind}
    if len(kinds) > 1 and kinds & {"S", "U"}:
        raise TaskError(f"{source}: labels are {labels.dtype}, training labels {names.dtype}; save both alike")
    unknown = np.setdiff1d(labels, names)
    if len(unknown):
        raise TaskError(f"{source}: class {_label(unknown[0])!r} is not among the training labels; add it there")
    return np.searchsorted(names, labels).astype(np.int64)


def _label(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)
