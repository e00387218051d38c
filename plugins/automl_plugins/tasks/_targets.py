"""Tell classes from values by the name, type and content of the targets of an .npz archive."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from automl import SplitName, TaskError
from automl_plugins.tasks._notices import warn_once
from automl_plugins.tasks._npz import Examples
from automl_plugins.tasks._splits import Numbers

Target = Literal["auto", "classes", "values"]

_FEW_VALUES = 20
_FEW_SHARE = 0.1
_EXACT = 2.0**53


def decode_targets(
    found: dict[SplitName, Examples], target: Target, path: Path
) -> tuple[bool, dict[SplitName, Examples]]:
    """Return whether the targets are classes, and the examples; classes with one label `(examples,)` each.

    Raises:
        TaskError: the targets are neither labels nor values, or not what ``target`` or their name says.
    """
    parts = list(found.values())
    if target == "values" or (target == "auto" and not _are_classes(parts, path)):
        return False, found
    is_one_hot = all(_is_one_hot(part.targets) for part in parts)
    if parts[0].targets.ndim > 1 and not is_one_hot:
        raise TaskError(
            f"{path}: task.target=classes needs one label or one-hot row per example, but rows of "
            f"{parts[0].name!r} are neither; set task.target=values to learn several values each"
        )
    return True, {part: replace(found[part], targets=_labels(found[part].targets)) for part in found}


def _are_classes(parts: Sequence[Examples], path: Path) -> bool:
    """Return what ``auto`` takes the targets for."""
    is_named_labels = any(part.is_named_labels for part in parts)
    if any(part.targets.dtype.kind in "SU" for part in parts):
        return True
    if parts[0].targets.ndim > 1:
        return _are_one_hot_classes(parts, is_named_labels, path)
    if is_named_labels:
        _check_whole(parts, path)
        return True
    if parts[0].targets.dtype.kind != "f":
        return True
    _warn_of_few_values(parts, path)
    return False


def _are_one_hot_classes(parts: Sequence[Examples], is_named_labels: bool, path: Path) -> bool:
    train = parts[0]
    width = train.targets.shape[1]
    if not all(_is_one_hot(part.targets) for part in parts):
        if is_named_labels or train.targets.dtype.kind != "f":
            raise TaskError(
                f"{path}: expected one class label or one-hot row per example in {train.name!r}, but got "
                f"{train.targets.dtype} of shape {train.targets.shape}; "
                "set task.target=values to learn several values each"
            )
        return False
    if not is_named_labels:
        warn_once(
            f"{path}: rows of {train.name!r} are one-hot and are learnt as classes; set task.target=values to learn "
            f"{width} values each, or task.target=classes to confirm"
        )
    return True


def _check_whole(parts: Sequence[Examples], path: Path) -> None:
    for part in parts:
        if not _is_whole(part.targets):
            fraction = next(value for value in part.targets.tolist() if not _is_whole(np.asarray(value)))
            raise TaskError(
                f"{path}: {part.name!r} must hold classes, by its name, but holds {fraction}; set task.target=values "
                "to learn values, or save whole numbers or strings"
            )


def _warn_of_few_values(parts: Sequence[Examples], path: Path) -> None:
    targets = np.concatenate([part.targets for part in parts])
    if not _is_whole(targets):
        return
    distinct = len(np.unique(targets))
    if 1 < distinct <= _FEW_VALUES and distinct < _FEW_SHARE * len(targets):
        warn_once(
            f"{path}: {parts[0].name!r} is {targets.dtype} and is learnt as values, although it holds only {distinct} "
            "different whole numbers; set task.target=classes to learn classes, or task.target=values to confirm"
        )


def _labels(targets: Numbers) -> Numbers:
    """Return one label per example: columns of one-hot rows, whole numbers as integers, others as they are."""
    if targets.ndim > 1:
        columns: Numbers = targets.argmax(1)
        return columns
    return targets.astype(np.int64) if targets.dtype.kind == "f" and _is_whole(targets) else targets


def _is_one_hot(targets: Numbers) -> bool:
    if targets.ndim != 2 or targets.shape[1] < 2 or targets.dtype.kind not in "biuf":
        return False
    is_zero_or_one = (targets == 0) | (targets == 1)
    return bool(is_zero_or_one.all() and ((targets == 1).sum(1) == 1).all())


def _is_whole(targets: Numbers) -> bool:
    """Return whether nothing is lost by reading ``targets`` as integers."""
    if targets.dtype.kind != "f":
        return True
    return bool(((targets == np.floor(targets)) & (np.abs(targets) < _EXACT)).all())
