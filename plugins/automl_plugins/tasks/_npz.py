"""Read an .npz archive of examples and say in one line what is wrong with it."""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from automl import Guess, SplitName, TaskError
from automl_plugins.tasks._splits import PARTS, Numbers

Layout = Literal["auto", "nhwc", "nchw"]

_INPUT_NAMES = ("images", "x")
_TARGET_NAMES = ("labels", "y")
_PARTS_BY_NAME: dict[str, SplitName] = {
    "train": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "test": "test",
}
_NAME = re.compile(
    rf"(?:(?P<before>{'|'.join(_PARTS_BY_NAME)})_)?"
    rf"(?P<role>{'|'.join(_INPUT_NAMES + _TARGET_NAMES)})"
    rf"(?:_(?P<after>{'|'.join(_PARTS_BY_NAME)}))?",
    re.IGNORECASE,
)
_EXPECTED = "images and labels, or x and y, each alone or as train_…, validation_… and test_…"
_MAX_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Examples:
    """Inputs and targets of a split.

    Attributes:
        inputs: `(examples, channels, height, width)` or `(examples, features)`.
        targets: `(examples,)`, or `(examples, outputs)`.
        name: what the archive calls the targets.
    """

    inputs: Numbers
    targets: Numbers
    name: str

    @property
    def is_named_labels(self) -> bool:
        """Whether the targets are classes by their name."""
        return "labels" in self.name.lower()


def read_examples(path: Path, layout: Layout) -> dict[SplitName, Examples]:
    """Return the splits that the archive at ``path`` holds; a single pair of arrays is ``train``.

    Raises:
        TaskError: it is not such an archive.
    """
    arrays, target_names = _read_arrays(path)
    found: dict[SplitName, Examples] = {}
    for part in PARTS:
        sides = arrays.get(part, {})
        if not sides:
            continue
        for side, names in (("inputs", _INPUT_NAMES), ("targets", _TARGET_NAMES)):
            if side not in sides:
                raise TaskError(f"{path}: {part} has no {side}; add an array called {' or '.join(names)}")
        found[part] = Examples(
            _inputs(sides["inputs"], layout, f"{path}: {part} inputs"),
            _targets(sides["targets"], f"{path}: {part} targets"),
            target_names[part],
        )
        _check_lengths(found[part], f"{path}: {part}")
    _check_parts(found, path)
    return found


def recognise_archive(path: Path) -> Guess:
    """Return what the archive holds by the names and headers of its arrays; raises `TaskError` where it is no such one.

    >>> _place("val_images")
    ('validation', 'inputs')
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            known = [name for name in names if _place(name) is not None]
            shapes = {name: _shape(archive, name) for name in known}
    except (OSError, ValueError, zipfile.BadZipFile, zlib.error) as refused:
        raise TaskError(
            f"{path}: not an .npz archive ({refused}); write it with numpy.savez(path, images=…, labels=…)"
        ) from None
    if not known:
        raise TaskError(f"{path}: expected {_EXPECTED}, but the archive holds {', '.join(names) or 'nothing'}")
    told = [f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items()]
    is_rows = any(len(shape) < 3 for name, shape in shapes.items() if _side(name) == "inputs")
    return Guess(f"arrays {', '.join(told)}", {"path": str(path)}, space="mlp" if is_rows else "")


def _shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(f"{name}.npy") as file:
        read = np.lib.format.read_array_header_1_0
        if np.lib.format.read_magic(file) != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape: tuple[int, ...] = read(file)[0]
    return shape


def _side(name: str) -> str:
    place = _place(name)
    return place[1] if place else ""


def _read_arrays(path: Path) -> tuple[dict[SplitName, dict[str, Numbers]], dict[SplitName, str]]:
    """Return the arrays by split and by side, ``inputs`` or ``targets``, and the names of the targets by split.

    Other arrays are left alone.
    """
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return _sort_arrays(archive, path)
    except (OSError, ValueError, zipfile.BadZipFile) as refused:
        raise TaskError(
            f"{path}: not an .npz archive ({refused}); write it with numpy.savez(path, images=…, labels=…)"
        ) from None


def _sort_arrays(
    archive: np.lib.npyio.NpzFile, path: Path
) -> tuple[dict[SplitName, dict[str, Numbers]], dict[SplitName, str]]:
    arrays: dict[SplitName, dict[str, Numbers]] = {}
    taken: dict[tuple[SplitName, str], str] = {}
    for name in archive.files:
        if (place := _place(name)) is None:
            continue
        if place in taken:
            raise TaskError(f"{path}: {taken[place]!r} and {name!r} are both {' '.join(place)}; keep one")
        taken[place] = name
        arrays.setdefault(place[0], {})[place[1]] = _read_array(archive, name, path)
    if not arrays:
        held = ", ".join(map(repr, archive.files)) or "nothing"
        raise TaskError(f"{path}: expected {_EXPECTED}, but the archive holds {held}; rename its arrays")
    return arrays, {part: name for (part, side), name in taken.items() if side == "targets"}


def _place(name: str) -> tuple[SplitName, str] | None:
    matched = _NAME.fullmatch(name)
    if matched is None or (matched["before"] and matched["after"]):
        return None
    part = _PARTS_BY_NAME[(matched["before"] or matched["after"] or "train").lower()]
    return part, "inputs" if matched["role"].lower() in _INPUT_NAMES else "targets"


def _read_array(archive: np.lib.npyio.NpzFile, name: str, path: Path) -> Numbers:
    try:
        array: Numbers = archive[name]
    except ValueError as refused:
        if "pickle" not in str(refused):
            raise TaskError(f"{path}: array {name!r} is damaged ({refused}); write the file again") from None
        raise TaskError(
            f"{path}: array {name!r} holds Python objects, which are never unpickled; "
            "save it as a plain array of numbers or strings"
        ) from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as damaged:
        raise TaskError(f"{path}: array {name!r} is damaged ({damaged}); write the file again") from None
    return array


def _inputs(inputs: Numbers, layout: Layout, source: str) -> Numbers:
    """Return finite numbers as rows of features or as channels-first images."""
    if inputs.dtype.kind not in "biuf":
        raise TaskError(f"{source}: expected numbers, but got dtype {inputs.dtype}; convert them")
    if not 1 <= inputs.ndim <= 4:
        raise TaskError(
            f"{source}: expected (examples, features), (examples, height, width) or images with channels, "
            f"but got shape {inputs.shape}; reshape them"
        )
    if inputs.size == 0:
        raise TaskError(f"{source}: expected at least one number, but got shape {inputs.shape}; add examples")
    _check_finite(inputs, source)
    if inputs.ndim == 4:
        return _channels_first(inputs, layout, source)
    return inputs[:, None] if inputs.ndim in (1, 3) else inputs


def _channels_first(images: Numbers, layout: Layout, source: str) -> Numbers:
    """Return ``images`` as `(examples, channels, height, width)`.

    ``auto`` takes for channels the one of the second and the last axis that has at most four entries. When
    both have, whole numbers are read as NHWC, as image files are stored, and floating-point numbers as NCHW,
    as networks are fed.
    """
    if layout == "auto":
        is_first, is_last = images.shape[1] <= _MAX_CHANNELS, images.shape[3] <= _MAX_CHANNELS
        if not is_first and not is_last:
            raise TaskError(f"{source}: no axis of shape {images.shape} looks like channels; set layout=nhwc or nchw")
        is_float = images.dtype.kind == "f"
        layout = "nchw" if is_first and (is_float or not is_last) else "nhwc"
    return images if layout == "nchw" else images.transpose(0, 3, 1, 2)


def _targets(targets: Numbers, source: str) -> Numbers:
    """Return targets `(examples,)`, or `(examples, outputs)` for one-hot rows or several values each."""
    if targets.dtype.kind not in "biufSU":
        raise TaskError(f"{source}: expected class labels or values, but got dtype {targets.dtype}; convert them")
    if targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets.ndim != 1 and not (targets.ndim == 2 and targets.shape[1] and targets.dtype.kind not in "SU"):
        raise TaskError(
            f"{source}: expected one class label per example, but got {targets.dtype} of shape {targets.shape}; "
            "save one label per example"
        )
    if targets.dtype.kind == "f":
        _check_finite(targets, source)
    return targets


def _check_finite(numbers: Numbers, source: str) -> None:
    if numbers.dtype.kind != "f":
        return
    is_bad = ~np.isfinite(numbers)
    if count := int(is_bad.sum()):
        first = tuple(int(index) for index in np.argwhere(is_bad)[0])
        raise TaskError(f"{source}: {count} of {numbers.size} are NaN or infinite, the first at {first}; mend them")


def _check_lengths(examples: Examples, source: str) -> None:
    inputs, targets = len(examples.inputs), len(examples.targets)
    if inputs != targets:
        raise TaskError(f"{source}: {inputs} inputs but {targets} targets; there must be one target per input")


def _check_parts(parts: dict[SplitName, Examples], path: Path) -> None:
    if "train" not in parts:
        raise TaskError(
            f"{path}: only {', '.join(parts)} found; add train_images and train_labels (or train_x, train_y)"
        )
    shape = parts["train"].inputs.shape[1:]
    outputs = parts["train"].targets.shape[1:]
    is_named_labels = all(part.is_named_labels for part in parts.values())
    for name, part in parts.items():
        if part.inputs.shape[1:] != shape:
            raise TaskError(
                f"{path}: {name} inputs have shape {part.inputs.shape[1:]}, but train inputs {shape}; make them equal"
            )
        is_like_train = is_named_labels or _is_float(part) == _is_float(parts["train"])
        if part.targets.shape[1:] != outputs or not is_like_train:
            raise TaskError(
                f"{path}: {name} targets are {part.targets.dtype} of shape {part.targets.shape}, but train "
                f"targets {parts['train'].targets.dtype} of shape {parts['train'].targets.shape}; "
                "make them alike"
            )


def _is_float(part: Examples) -> bool:
    return part.targets.dtype.kind == "f"
