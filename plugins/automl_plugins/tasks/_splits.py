"""What the bundled tasks share: finding files, drawing splits and standardising inputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from automl import BaseOptions, SplitName, TaskError, derive_rng

Rows: TypeAlias = npt.NDArray[np.int64]
Numbers: TypeAlias = npt.NDArray[Any]

PARTS: tuple[SplitName, ...] = ("train", "validation", "test")


class SplitOptions(BaseOptions):
    """How examples are divided where the data bring no split of their own."""

    validation: float = Field(default=0.2, gt=0, lt=1)
    """Share of the examples that a search is judged by."""

    test: float = Field(default=0.2, gt=0, lt=1)
    """Share of the examples that only the final report sees."""

    seed: int = Field(default=0, ge=0)
    """Seed of the draw; it belongs to the task, so that every study sees the same splits."""

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> SplitOptions:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must be below 1, so that examples to train on remain")
        return self

    def shares(self, *missing: SplitName) -> dict[SplitName, float]:
        """Return the share of each split in ``missing``."""
        shares: dict[SplitName, float] = {"validation": self.validation, "test": self.test}
        return {name: shares[name] for name in missing}


_TOLD = 16
"""Columns whose statistics are told one by one."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A per-channel (images) or per-feature (rows) shift and scale that makes training inputs standard.

    Attributes:
        mean: `(channels, 1, 1)` or `(features,)`.
        deviation: likewise; 1 where an input is constant, so that nothing is divided by zero.
    """

    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]

    @classmethod
    def of(cls, inputs: Numbers) -> Scale:
        """Return the statistics of images `(examples, channels, height, width)` or rows of features."""
        columns = [inputs[:, index] for index in range(inputs.shape[1])]
        mean = np.array([column.mean(dtype=np.float64) for column in columns])
        deviation = np.array([column.std(dtype=np.float64) for column in columns])
        return cls.from_moments(mean, deviation, inputs.ndim - 2)

    @classmethod
    def from_moments(cls, mean: Numbers, deviation: Numbers, inner_axes: int) -> Scale:
        """Return the scale that broadcasts ``mean`` and ``deviation`` over ``inner_axes`` further axes."""
        shape = (-1,) + (1,) * inner_axes
        tiny = np.finfo(np.float32).eps * np.abs(mean)
        deviation = np.where(deviation > tiny, deviation, 1.0)
        return cls(mean.astype(np.float32).reshape(shape), deviation.astype(np.float32).reshape(shape))

    @property
    def in_words(self) -> str:
        """What `apply` does, with the numbers; of more than a few columns only the way to get them."""
        if self.mean.size > _TOLD:
            return "Each feature had its mean over the training split subtracted and was divided by its deviation."
        mean, deviation = (", ".join(f"{each:.7g}" for each in array.ravel()) for array in (self.mean, self.deviation))
        where = "" if self.mean.size == 1 else " (by channel)" if self.mean.ndim > 1 else " (by feature)"
        return f"Subtract {mean} and divide by {deviation}{where}."

    def apply(self, inputs: Numbers) -> npt.NDArray[np.float32]:
        """Return standardised inputs."""
        scaled: npt.NDArray[np.float32] = inputs.astype(np.float32)
        scaled -= self.mean
        scaled /= self.deviation
        return scaled


def draw_splits(
    groups: Rows, shares: Mapping[SplitName, float], seed: int, source: str, names: Sequence[str] = ()
) -> dict[SplitName, Rows]:
    """Divide examples into ``train`` and the splits in ``shares``, class by class.

    Splits are disjoint, cover every example, and are sorted. In every class each split holds its share to
    within one example, and at least one example.

    Args:
        groups: class index of each example; all zeros when there are no classes.
        shares: share of each drawn split; ``train`` gets the rest.
        seed: the task's seed.
        source: where the examples are from, for messages.
        names: class names, for messages; empty when there are no classes.

    Raises:
        TaskError: a class has fewer examples than there are splits.
    """
    drawn: tuple[SplitName, ...] = (*shares, "train")
    rows: dict[SplitName, list[Rows]] = {name: [] for name in drawn}
    for group in np.unique(groups).tolist():
        members = np.flatnonzero(groups == group)
        if len(members) < len(drawn):
            what = f"class {names[group]!r} has {_examples(len(members))}" if names else _examples(len(members))
            raise TaskError(
                f"{source}: {what}, too few for {', '.join(reversed(drawn))}: add examples"
                + (" or leave the class out" if names else "")
            )
        shuffled = derive_rng(seed, "split", group).permutation(members)
        ends = np.cumsum(part_sizes(len(members), list(shares.values())))
        for name, part in zip(drawn, np.split(shuffled, ends[:-1]), strict=True):
            rows[name].append(part)
    return {name: np.sort(np.concatenate(parts)) for name, parts in rows.items()}


def part_sizes(count: int, shares: Sequence[float]) -> list[int]:
    """Divide ``count`` into a part per share and a rest, each exact to within one and at least one.

    >>> part_sizes(178, [0.2, 0.2])
    [36, 35, 107]
    >>> part_sizes(3, [0.2, 0.2])
    [1, 1, 1]
    """
    marks = [0, *(int(np.floor(count * share + 0.5)) for share in np.cumsum(shares)), count]
    sizes = [after - before for before, after in pairwise(marks)]
    while 0 in sizes and max(sizes) > 1:
        sizes[sizes.index(max(sizes))] -= 1
        sizes[sizes.index(0)] += 1
    return sizes


def find_path(path: Path, what: str) -> Path:
    """Return ``path``, taken from the current folder or else from the folder that ``AUTOML_DATA_DIR`` names.

    Raises:
        TaskError: it is in neither place.
    """
    roots = [Path()]
    if folder := os.environ.get("AUTOML_DATA_DIR"):
        roots.append(Path(folder))
    for root in roots:
        if (root / path).exists():
            return root / path
    looked = " and ".join(repr(str(root.absolute())) for root in roots)
    where = "" if path.is_absolute() else f" in {looked}"
    advice = "check the path" if folder or path.is_absolute() else "check the path or set AUTOML_DATA_DIR"
    raise TaskError(f"no {what} {str(path)!r}{where}; {advice}")


def _examples(count: int) -> str:
    return "1 example" if count == 1 else f"{count} examples"
