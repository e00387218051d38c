"""Task ``csv``: a table of your own, with numbers, categories and missing values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from automl import SplitName, Task, TaskError, TaskKind, TensorSplit, digest_of
from automl_plugins.tasks._notices import announce, tell_once, warn_once
from automl_plugins.tasks._splits import PARTS, Numbers, Rows, SplitOptions, draw_splits, find_path
from automl_plugins.tasks._tables import MISSING, Categorical, Encoded, Features, Numeric, encode, read_table, typed
from automl_plugins.tasks._values import Values

_FEW_VALUES = 20
_FEW_SHARE = 0.1
_NAMED = 8


class CsvOptions(SplitOptions):
    """Options of `Csv`."""

    path: Path
    """The file, from the current folder or else from the folder that AUTOML_DATA_DIR names; `.gz` is unpacked."""

    target: str
    """Name of the column to learn."""

    test_path: Path | None = None
    """A second file with the same columns, whose rows are the test split; otherwise that is drawn, too."""

    learn: Literal["auto", "classes", "values"] = "auto"
    """What the target is. `auto` takes text for classes, and numbers for classes where there are two of them or
    (with a warning) few different whole ones; other numbers are values."""

    categorical: tuple[str, ...] = ()
    """Columns of numbers that are names, such as codes."""

    ignore: tuple[str, ...] = ()
    """Columns to leave out."""

    max_categories: int = Field(default=32, ge=1)
    """Categories of a column with a feature of their own; rarer ones share one."""


@dataclass(frozen=True, slots=True)
class _Contents:
    """The table, encoded: targets are class indices, or standardised values where ``values`` is there."""

    features: Features
    targets: Numbers
    rows: dict[SplitName, Rows]
    classes: tuple[str, ...]
    values: Values | None


class Csv(Task):
    """Rows of a comma-separated file with a header: classification or regression.

    Types of columns are inferred and logged. Numbers are standardised by the training split, missing ones become its
    median, with an indicator; categories become features of 0 or 1, missing being one of them. Columns that are
    constant, or text that differs in every row, are left out. Rows without a target are left out with a warning.
    ``rmse`` is in the unit of the file.
    """

    Options = CsvOptions

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self._contents.features.shape[1],)

    @property
    def output_size(self) -> int:
        return len(self._contents.classes) or 1

    @property
    def task_kind(self) -> TaskKind:
        return "regression" if self._contents.values else "classification"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their indices; none in regression."""
        return self._contents.classes

    @property
    def output_scale(self) -> tuple[float, float]:
        values = self._contents.values
        return (values.mean, values.unit) if values else (0.0, 1.0)

    @property
    def preparation(self) -> str:
        return (
            "Numbers are standardised by the training split, missing ones become its median with an indicator, "
            "categories become features of 0 or 1; the task csv does it."
        )

    def load(self, split: SplitName) -> TensorSplit:
        contents = self._contents
        own = contents.rows[split]
        return TensorSplit(torch.from_numpy(contents.features[own]), torch.from_numpy(contents.targets[own]))

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the task's metrics; ``rmse`` in the unit of the file, ``loss`` as trained on."""
        values = self._contents.values
        return values.metrics(self, outputs, targets) if values else super().metrics(outputs, targets)

    def digest(self) -> str:
        contents = self._contents
        arrays = (array[contents.rows[part]].tobytes() for part in PARTS for array in self._arrays)
        return digest_of("csv", self.task_kind, str(self.input_shape), *contents.classes, *arrays)

    @property
    def _arrays(self) -> tuple[Numbers, Numbers]:
        return self._contents.features, self._contents.targets

    @cached_property
    def _contents(self) -> _Contents:
        options, source = self.options, f"csv {self.options.path}"
        table, test_rows = self._table(source)
        cells = table.pop(options.target)
        column = typed(options.target, cells, source)
        is_classes = options.learn == "classes" or (options.learn == "auto" and _is_classes(column, source))
        groups, classes = _numbered(cells) if is_classes else (np.zeros(len(cells), np.int64), ())
        if len(classes) == 1:
            raise TaskError(f"{source}: every row is of class {classes[0]!r}; there must be two classes or more")
        rows = self._divide(groups, classes, test_rows, source)
        columns = [
            typed(name, found, source, is_categorical=name in options.categorical) for name, found in table.items()
        ]
        encoded = encode(columns, rows["train"], options.max_categories, source)
        values: Values | None = None
        targets: Numbers = groups
        if not is_classes:
            if isinstance(column, Categorical):
                raise TaskError(f"{source}: task.learn=values needs numbers, but column {options.target!r} holds text")
            values = Values.of(column.values[rows["train"]], source)
            targets = values.apply(column.values)
        what = f"{len(classes)} classes" if is_classes else "1 value each"
        _tell(encoded, source)
        announce(source, (encoded.features.shape[1],), what, {part: len(rows[part]) for part in PARTS})
        return _Contents(encoded.features, targets, rows, classes, values)

    def _table(self, source: str) -> tuple[dict[str, list[str]], int]:
        """Return the columns of rows that have a target, and how many of the last rows are the test file's."""
        options = self.options
        table, extra = read_table(find_path(options.path, "file")), 0
        named = (options.target, *options.categorical, *options.ignore)
        unknown = [name for name in named if name not in table]
        if unknown:
            raise TaskError(f"{source}: there is no column {unknown[0]!r}; the columns are {', '.join(table)}")
        if options.test_path is not None:
            more = read_table(find_path(options.test_path, "file"))
            if list(more) != list(table):
                raise TaskError(f"{options.test_path}: columns differ from those of {options.path}; make them equal")
            extra = len(more[options.target])
            table = {name: cells + more[name] for name, cells in table.items()}
        known = [cell.lower() not in MISSING for cell in table[options.target]]
        if not all(known):
            warn_once(f"{source}: {known.count(False)} rows have no {options.target!r} and are left out")
        kept = {
            name: [cell for cell, is_known in zip(cells, known, strict=True) if is_known]
            for name, cells in table.items()
            if name not in options.ignore or name == options.target
        }
        return kept, sum(known[len(known) - extra :])

    def _divide(self, groups: Rows, classes: tuple[str, ...], test_rows: int, source: str) -> dict[SplitName, Rows]:
        """Return the rows of each split, class by class; the last ``test_rows`` are the test split if there are any."""
        options = self.options
        if options.test_path is None:
            return draw_splits(groups, options.shares("validation", "test"), options.seed, source, classes)
        count = len(groups) - test_rows
        unseen = np.setdiff1d(groups[count:], groups[:count])
        if not test_rows or len(unseen):
            found = f"class {classes[unseen[0]]!r} is in no other" if len(unseen) else "it has no rows with a target"
            raise TaskError(f"{options.test_path}: {found}; mend the file")
        drawn = draw_splits(groups[:count], options.shares("validation"), options.seed, source, classes)
        return {**drawn, "test": np.arange(count, len(groups))}


def _is_classes(column: Numeric | Categorical, source: str) -> bool:
    """Return what ``auto`` takes the target for."""
    if isinstance(column, Categorical):
        return True
    distinct = np.unique(column.values)
    if len(distinct) <= 2:
        return True
    is_whole = bool((distinct == np.floor(distinct)).all())
    if not is_whole or len(distinct) > _FEW_VALUES or len(distinct) >= _FEW_SHARE * len(column.values):
        return False
    warn_once(
        f"{source}: the {len(distinct)} different whole numbers of {column.name!r} are learnt as classes; set "
        "task.learn=values to learn values, or task.learn=classes to confirm"
    )
    return True


def _numbered(cells: list[str]) -> tuple[Rows, tuple[str, ...]]:
    """Return class indices and the names of the classes, in order: of numbers, if all are."""
    try:
        names = sorted(set(cells), key=float)
    except ValueError:
        names = sorted(set(cells))
    places = {name: place for place, name in enumerate(names)}
    return np.array([places[cell] for cell in cells], np.int64), tuple(names)


def _tell(encoded: Encoded, source: str) -> None:
    """Log the types of the columns."""
    categories = [f"{name} ({count})" for name, count in encoded.categories.items()]
    told = [f"{len(encoded.numeric)} numeric columns{_listed(list(encoded.numeric))}"]
    told += [f"{len(categories)} categorical{_listed(categories)}"]
    if encoded.missing:
        missing = [f"{name} ({count})" for name, count in encoded.missing.items()]
        told.append(f"{sum(encoded.missing.values())} missing values{_listed(missing)}")
    if encoded.left_out:
        told.append(f"left out{_listed([f'{name} ({why})' for name, why in encoded.left_out.items()])}")
    tell_once(f"{source}: {'; '.join(told)}")


def _listed(names: list[str]) -> str:
    """Return the first names behind a colon, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f": {', '.join(names[:_NAMED])}{more}" if names else ""
