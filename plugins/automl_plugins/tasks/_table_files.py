"""Read tables from comma-separated text or Parquet, every cell as text, and say which columns are text for sure."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from automl import SplitName, TaskError
from automl_plugins.tasks._tables import delimiter_of, read_table

_TEXT_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
_PARQUET_ENDINGS = (".parquet", ".pq")


@dataclass(frozen=True, slots=True)
class TableFile:
    """Cells of a table by column, as text, empty where there is no value.

    Attributes:
        cells: by name of the column.
        texts: columns whose cells are names even if they look like numbers, as the file says.
        parts: split that each row is given to; rows of ``train`` are divided where others are missing.
    """

    cells: Mapping[str, list[str]]
    texts: frozenset[str]
    parts: Sequence[SplitName]

    def followed_by(self, other: TableFile) -> TableFile:
        """Return the rows of both; they have the same columns."""
        cells = {name: found + other.cells[name] for name, found in self.cells.items()}
        return TableFile(cells, self.texts | other.texts, (*self.parts, *other.parts))


def is_table(path: Path) -> bool:
    """Return whether a file is a table by its name."""
    return path.is_file() and path.name.lower().endswith((*_TEXT_ENDINGS, *_PARQUET_ENDINGS))


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet by its name."""
    return path.suffix.lower() in _PARQUET_ENDINGS


def read_file(path: Path, part: SplitName = "train") -> TableFile:
    """Return the table in a file, Parquet by its ending; raises `TaskError` as `read_table` does."""
    if not is_parquet(path):
        cells = read_table(path)
        return TableFile(cells, frozenset(), (part,) * len(next(iter(cells.values()))))
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as broken:
        raise TaskError(f"{path}: not a Parquet file that can be read ({_line(broken)}); write it anew") from None
    return from_arrow(table, str(path), part)


def from_arrow(table: pa.Table, source: str, part: SplitName = "train") -> TableFile:
    """Return the cells of an Arrow table; columns of lists, bytes and the like are left out.

    Text, dictionaries, truth values and points in time are names, numbers are numbers.
    """
    if not table.num_rows:
        raise TaskError(f"{source}: the table has no rows; add examples")
    cells: dict[str, list[str]] = {}
    texts = set()
    for name in table.column_names:
        column = table.column(name)
        if not _is_scalar(column.type):
            continue
        cells[name] = ["" if value is None else str(value).strip() for value in column.to_pylist()]
        if not _is_number(column.type):
            texts.add(name)
    return TableFile(cells, frozenset(texts), (part,) * table.num_rows)


def column_names(path: Path) -> list[str]:
    """Return the names of the columns without reading the rows; raises `TaskError`."""
    if is_parquet(path):
        try:
            return list(pq.read_schema(path).names)
        except (OSError, pa.ArrowException) as broken:
            raise TaskError(f"{path}: not a Parquet file that can be read ({_line(broken)}); write it anew") from None
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            header = file.readline().decode("utf-8-sig").rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as broken:
        raise TaskError(f"{path}: cannot be read as text in UTF-8 ({broken}); save it anew") from None
    if not header.strip():
        raise TaskError(f"{path}: the first line is empty; it must name the columns")
    return [name.strip() for name in next(csv.reader([header], delimiter=delimiter_of(header)))]


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _is_scalar(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
