"""Read comma-separated files, infer the types of their columns and make features of them."""

from __future__ import annotations

import csv
import gzip
import io
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from automl import TaskError
from automl_plugins.tasks._splits import Rows, Scale

Features = npt.NDArray[np.float32]

MISSING = frozenset({"", "?", "na", "n/a", "nan", "null", "none"})
"""What stands for no value, in any case of letters."""

_DELIMITERS = ",;\t|"
_OTHER = -1


@dataclass(frozen=True, slots=True)
class Numeric:
    """A column of numbers: `(rows,)`, NaN where missing."""

    name: str
    values: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Categorical:
    """A column of anything else; ``None`` where missing."""

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Features of all rows, and what became of the columns.

    Attributes:
        features: `(rows, features)`.
        numeric: names of the columns of numbers.
        categories: number of features that each column of categories became.
        missing: missing values of each column that has some.
        left_out: why, by column.
    """

    features: Features
    numeric: tuple[str, ...]
    categories: Mapping[str, int]
    missing: Mapping[str, int]
    left_out: Mapping[str, str]


def read_table(path: Path) -> dict[str, list[str]]:
    """Return the columns of a file with a header, by name; plain or compressed by gzip, cells without outer blanks.

    Raises:
        TaskError: not text in UTF-8, no rows, no names or names that repeat, or a row of another length.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as broken:
        raise TaskError(f"{path}: cannot be read as text in UTF-8 ({broken}); save it anew") from None
    header = text.partition("\n")[0]
    delimiter = delimiter_of(header)
    try:
        rows = [
            [cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as broken:
        raise TaskError(f"{path}: {broken}; save it anew") from None
    names, rows = (rows[0] if rows else []), [row for row in rows[1:] if row]
    if not rows:
        raise TaskError(f"{path}: no rows below the header; add examples")
    if "" in names or len(set(names)) < len(names):
        raise TaskError(f"{path}: the first line must name every column, each differently, but is {header[:80]!r}")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise TaskError(f"{path}: row {number} has {len(row)} cells, but the header {len(names)}; mend the row")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}


def delimiter_of(header: str) -> str:
    """Return the one of comma, semicolon, tabulator and bar that makes the most columns of the first line."""
    return max(_DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def typed(name: str, cells: Sequence[str], source: str, *, is_categorical: bool = False) -> Numeric | Categorical:
    """Return a column of numbers where all cells that are not missing are, and one of categories otherwise.

    Raises:
        TaskError: a number is infinite.
    """
    present = [None if cell.lower() in MISSING else cell for cell in cells]
    try:
        if is_categorical or all(cell is None for cell in present):
            raise ValueError
        values = np.array([math.nan if cell is None else _number(cell) for cell in present])
    except ValueError:
        return Categorical(name, tuple(present))
    if np.isinf(values).any():
        raise TaskError(f"{source}: column {name!r} has an infinite number in row {int(np.isinf(values).argmax()) + 1}")
    return Numeric(name, values)


def encode(columns: Sequence[Numeric | Categorical], train: Rows, most: int, source: str) -> Encoded:
    """Return features of all rows, by what the rows ``train`` hold and nothing else.

    Numbers are standardised; missing ones become the median, and an indicator says where. Categories become one
    feature of 0 or 1 each: the ``most`` frequent ones, one for all others if there are others, and one for missing. A
    category that training has not seen is among the others, or none. Columns that say nothing are left out.

    Raises:
        TaskError: nothing is left.
    """
    numbers: list[npt.NDArray[np.float64]] = []
    flags: list[npt.NDArray[np.bool_]] = []
    numeric, categories, missing, left_out = [], dict[str, int](), dict[str, int](), dict[str, str]()
    for column in columns:
        is_missing = _is_missing(column)
        reason = _why_left_out(column, is_missing, train)
        if reason:
            left_out[column.name] = reason
            continue
        if is_missing.any():
            missing[column.name] = int(is_missing.sum())
        if isinstance(column, Numeric):
            numeric.append(column.name)
            numbers.append(np.where(is_missing, np.nanmedian(column.values[train]), column.values))
            flags += [is_missing] if is_missing[train].any() else []
        else:
            made = _one_hot(column, is_missing, train, most)
            categories[column.name] = len(made)
            flags += made
    if not numbers and not flags:
        raise TaskError(f"{source}: no column is left to learn from; those there are say nothing")
    parts = [np.stack(flags, 1).astype(np.float32)] if flags else []
    if numbers:
        stacked = np.stack(numbers, 1)
        parts.insert(0, Scale.of(stacked[train]).apply(stacked))
    return Encoded(np.concatenate(parts, 1), tuple(numeric), categories, missing, left_out)


def _number(cell: str) -> float:
    if "_" in cell:  # which Python reads as a number
        raise ValueError
    return float(cell)


def _is_missing(column: Numeric | Categorical) -> npt.NDArray[np.bool_]:
    if isinstance(column, Numeric):
        return np.isnan(column.values)
    return np.array([value is None for value in column.values])


def _why_left_out(column: Numeric | Categorical, is_missing: npt.NDArray[np.bool_], train: Rows) -> str:
    """Return why a column says nothing about examples that training has not seen; empty where it does."""
    present = train[~is_missing[train]]
    if not len(present):
        return "no values"
    if isinstance(column, Numeric):
        is_constant = bool((column.values[present] == column.values[present[0]]).all())
        return "constant" if is_constant and len(present) == len(train) else ""
    found = {column.values[row] for row in present.tolist()}
    if len(found) == 1 and len(present) == len(train):
        return "constant"
    return "every value differs" if len(found) == len(present) > 2 else ""


def _one_hot(
    column: Categorical, is_missing: npt.NDArray[np.bool_], train: Rows, most: int
) -> list[npt.NDArray[np.bool_]]:
    counts = Counter(column.values[row] for row in train[~is_missing[train]].tolist())
    ranked = sorted(counts, key=lambda value: (-counts[value], str(value)))
    kept = sorted(map(str, ranked[:most]))
    places = {value: place for place, value in enumerate(kept)}
    codes = np.array([places.get(value, _OTHER) if value is not None else len(kept) for value in column.values])
    made = [codes == place for place in range(len(kept))]
    if len(ranked) > most:
        made.append(codes == _OTHER)
    if is_missing[train].any():
        made.append(is_missing)
    return made
