"""Make a learning problem of a table: features, targets and splits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from pydantic import Field

from automl import SplitName, TaskError, TensorSplit
from automl_plugins.tasks._notices import announce, tell_once, warn_once
from automl_plugins.tasks._splits import PARTS, Numbers, Rows, SplitOptions, draw_splits
from automl_plugins.tasks._table_files import TableFile
from automl_plugins.tasks._tables import MISSING, Categorical, Encoded, Features, Numeric, encode, typed
from automl_plugins.tasks._values import Values

PREPARATION = (
    "Numbers are standardised by the training split, missing ones become its median with an indicator, "
    "categories become features of 0 or 1"
)

_FEW_VALUES = 20
_FEW_SHARE = 0.1
_NAMED = 8


class TableOptions(SplitOptions):
    """Options of tasks that learn from tables."""

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
class Contents:
    """The table, encoded: targets are class indices, or standardised values where ``values`` is there."""

    features: Features
    targets: Numbers
    rows: dict[SplitName, Rows]
    classes: tuple[str, ...]
    values: Values | None

    def split(self, name: SplitName) -> TensorSplit:
        """Return a split."""
        own = self.rows[name]
        return TensorSplit(torch.from_numpy(self.features[own]), torch.from_numpy(self.targets[own]))

    def bytes(self) -> list[bytes]:
        """Return all features and targets, split by split, for a digest."""
        return [array[self.rows[part]].tobytes() for part in PARTS for array in (self.features, self.targets)]


def contents_of(table: TableFile, target: str, options: TableOptions, source: str) -> Contents:
    """Return what there is to learn.

    Raises:
        TaskError: the table has no such column, or cannot be learnt from; ``source`` is where it is from.
    """
    kept, parts = _with_target(table, target, options, source)
    cells = kept.pop(target)
    column = typed(target, cells, source, is_categorical=target in table.texts)
    is_classes = options.learn == "classes" or (options.learn == "auto" and _is_classes(column, source))
    groups, classes = _numbered(cells) if is_classes else (np.zeros(len(cells), np.int64), ())
    if len(classes) == 1:
        raise TaskError(f"{source}: every row is of class {classes[0]!r}; there must be two classes or more")
    rows = _divide(groups, classes, parts, options, source)
    names = table.texts.union(options.categorical)
    columns = [typed(name, found, source, is_categorical=name in names) for name, found in kept.items()]
    encoded = encode(columns, rows["train"], options.max_categories, source)
    values: Values | None = None
    targets: Numbers = groups
    if not is_classes:
        if isinstance(column, Categorical):
            raise TaskError(f"{source}: task.learn=values needs numbers, but column {target!r} holds text")
        values = Values.of(column.values[rows["train"]], source)
        targets = values.apply(column.values)
    _tell(encoded, source)
    what = f"{len(classes)} classes" if is_classes else "1 value each"
    announce(source, (encoded.features.shape[1],), what, {part: len(rows[part]) for part in PARTS})
    return Contents(encoded.features, targets, rows, classes, values)


def _with_target(
    table: TableFile, target: str, options: TableOptions, source: str
) -> tuple[dict[str, list[str]], list[SplitName]]:
    """Return the columns of rows that have a target, and the split that each row is given to."""
    unknown = [name for name in (target, *options.categorical, *options.ignore) if name not in table.cells]
    if unknown:
        raise TaskError(f"{source}: there is no column {unknown[0]!r}; the columns are {', '.join(table.cells)}")
    known = [cell.lower() not in MISSING for cell in table.cells[target]]
    if not all(known):
        warn_once(f"{source}: {known.count(False)} rows have no {target!r} and are left out")
    kept = {
        name: [cell for cell, is_known in zip(cells, known, strict=True) if is_known]
        for name, cells in table.cells.items()
        if name not in options.ignore or name == target
    }
    parts = [part for part, is_known in zip(table.parts, known, strict=True) if is_known]
    if lost := [part for part in PARTS if part in table.parts and part not in parts]:
        raise TaskError(f"{source}: no row of {lost[0]} has a {target!r}; mend the data")
    return kept, parts


def _divide(
    groups: Rows, classes: tuple[str, ...], parts: list[SplitName], options: TableOptions, source: str
) -> dict[SplitName, Rows]:
    """Return the rows of each split: as given, and otherwise drawn from ``train``, class by class."""
    places = {part: np.array([row for row, found in enumerate(parts) if found == part], np.int64) for part in PARTS}
    given: Mapping[SplitName, Rows] = {part: rows for part, rows in places.items() if len(rows) and part != "train"}
    pool = places["train"]
    for part, rows in given.items():
        unseen = np.setdiff1d(groups[rows], groups[pool])
        if len(unseen):
            raise TaskError(f"{source}: class {classes[unseen[0]]!r} of {part} is in no other split; mend the data")
    missing = options.shares(*(part for part in PARTS if part != "train" and part not in given))
    drawn = draw_splits(groups[pool], missing, options.seed, source, classes)
    return {**given, **{part: pool[rows] for part, rows in drawn.items()}}


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
