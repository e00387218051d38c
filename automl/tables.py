"""Benchmark tables as evaluators: an architecture is looked up instead of trained.

A table in the **compact form** is an ``.npz`` file of arrays with one row per architecture: some columns say which
architecture it is, the others what was measured. It is read with ``allow_pickle=False``, once per process. A table
evaluator says in a few lines how a row is read:

    class MyTable(TableEvaluator):
        \"\"\"Accuracy of all networks of my space.\"\"\"

        file = "my_bench/table.npz"
        space = "my_space"

        def answers(self):
            for operation, width in zip(self.table["operation"], self.table["width"].tolist(), strict=True):
                yield {"operation": str(operation), "width": width}

        def columns(self):
            return (Column(Metric("val_accuracy", "max", "%"), self.table["valid"]),)

**Units.** Published tables give accuracies in per cent, and so do the evaluators of tables, with the unit ``%``; an
evaluator that trains reports shares of 1.
"""

from __future__ import annotations

import zipfile
import zlib
from abc import abstractmethod
from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from automl.architecture import Architecture
from automl.data import DataError, find_data, sha256_of
from automl.decisions import Value
from automl.errors import AutomlError, ConfigurationError, InvalidArchitecture, unknown_name
from automl.evaluator import Candidate, Context, Evaluator, Identity, Metric
from automl.space import SearchSpace
from automl.task import Task, digest_of

Array: TypeAlias = NDArray[Any]


class NotInTable(AutomlError):
    """A benchmark table has no row for an architecture: its trial fails."""


@dataclass(frozen=True, eq=False, slots=True)
class Table:
    """The arrays of a compact file, read-only, shared by everything in the process that reads it."""

    path: Path
    arrays: Mapping[str, Array]
    indexes: dict[Hashable, dict[Hashable, int]] = field(default_factory=dict)
    """Rows by key, made once for each evaluator class."""

    def __getitem__(self, name: str) -> Array:
        """Return an array; raises `DataError` with the names that there are."""
        if name not in self.arrays:
            raise DataError(unknown_name(f"column of {self.path.name}", name, self.arrays, "automl data status"))
        return self.arrays[name]

    def __contains__(self, name: str) -> bool:
        """Return whether there is an array of that name."""
        return name in self.arrays


@dataclass(frozen=True, slots=True)
class Column:
    """A metric and its value in each row; what is no finite number fails the trial when it is an objective.

    >>> Column(Metric("val_accuracy", "max", "%"), np.array([91.5, 90.2])).metric.unit
    '%'
    """

    metric: Metric
    values: Array


class TableEvaluator(Evaluator):
    """Looks an architecture up in a benchmark table in the compact form.

    A subclass names the ``file`` (in the data folder, or overrides `path`) and the ``space``, and writes `answers` and
    `columns`. `answers` depends on the table alone, so that rows are indexed once per process and class; a look-up is
    then one access to a dictionary. With ``identity = "network"`` rows are found by canonical key instead of by the
    exact answers; a space with a cheaper key than that overrides `key` and `keys` together.

    Raises:
        DataError: the table is missing or damaged; said by `metrics`, that is before a study is written.
    """

    identity: ClassVar[Identity] = "architecture"
    needs_task: ClassVar[bool] = False
    file: ClassVar[str] = ""
    """Where the table is in the data folder: ``my_bench/table.npz``."""
    space: ClassVar[str] = ""
    """Name of the search space that the rows are members of."""

    @abstractmethod
    def answers(self) -> Iterator[Mapping[str, Value]]:
        """Yield the answers of each row, in the order of the rows and of the space's walk."""

    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """Return what the table says; the first metric is what a study optimises by default."""

    def path(self) -> Path:
        """Return the path of the table; raises `DataError` when it is missing."""
        return find_data(self.file)

    def paths(self) -> tuple[Path, ...]:
        """Return every file that results are read from: the table, unless a subclass reads files beside it."""
        return (self.path(),)

    @cached_property
    def table(self) -> Table:
        """The table, read on first use."""
        return load_table(self.path())

    def digest(self) -> str:
        """Return the SHA-256 of the table, of which the results are a function, or a hash of several files'."""
        first, *others = [sha256_of(path) for path in self.paths()]
        return digest_of(first, *others) if others else first

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the metrics of `columns`; ``task`` does not matter."""
        return tuple(column.metric for column in self._columns)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the candidate's row.

        Raises:
            NotInTable: it has none.
            ConfigurationError: the study's space is not the table's.
        """
        row = self.row(candidate)
        if row is None:
            raise NotInTable(self.absence())
        return self.measure(row, candidate, context)

    def measure(self, row: int, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Return the metrics of a row; override it for values that depend on the context's seed."""
        return {name: values[row] for name, values in self._values}

    def row(self, candidate: Candidate) -> int | None:
        """Return the row of a candidate, or ``None``; raises `ConfigurationError` when the space is another one."""
        self._check_once(candidate.space)
        return self._index(candidate.space).get(self.key(candidate))

    def key(self, candidate: Candidate) -> Hashable:
        """Return what a row is found by."""
        return candidate.architecture.items_ if self.identity == "architecture" else candidate.key

    def keys(self, space: SearchSpace[Any]) -> Iterable[Hashable]:
        """Return the key of each row."""
        if self.identity == "architecture":
            return (tuple(answers.items()) for answers in self.answers())
        return (space.key(Architecture.of(answers)) for answers in self.answers())

    def rows(self, space: SearchSpace[Any]) -> Iterator[tuple[Architecture, int]]:
        """Yield each row as an architecture of ``space``, with its number; what a model of the table is fitted on.

        Raises:
            ConfigurationError: the rows are no members of ``space``.
        """
        self.check(space)
        for number, answers in enumerate(self.answers()):
            yield Architecture.of(answers), number

    def check(self, space: SearchSpace[Any]) -> None:
        """Raise `ConfigurationError` when the table's first row is no member of ``space``."""
        first = Architecture.of(next(self.answers()))
        try:
            is_member = space.validate(first).items_ == first.items_
        except InvalidArchitecture:
            is_member = False
        if not is_member:
            named = f"; choose --space {self.space} with its default options" if self.space else ""
            raise ConfigurationError(
                f"the table {self.table.path.name} lists architectures of another space than {type(space).__name__} as "
                f"this study sets it{named}"
            )

    def absence(self) -> str:
        """Return what to say about an architecture that the table does not have."""
        return f"the table {self.table.path.name} has no row for this architecture"

    @cached_property
    def _columns(self) -> tuple[Column, ...]:
        columns = self.columns()
        for column in columns:
            if len(column.values) != len(columns[0].values):
                raise DataError(
                    f"{self.table.path}: {column.metric.name} has {len(column.values)} rows, but "
                    f"{columns[0].metric.name} has {len(columns[0].values)}; write the table again"
                )
        return columns

    @cached_property
    def _values(self) -> tuple[tuple[str, list[float]], ...]:
        """Lists of Python numbers: an element of an array takes ten times as long to get."""
        return tuple((column.metric.name, column.values.astype(float).tolist()) for column in self._columns)

    def _check_once(self, space: SearchSpace[Any]) -> None:
        """Check a space when it is first seen: rows may be found by answers that another space gives too."""
        if self.__dict__.get("_fitting") is not space:
            self.check(space)
            self.__dict__["_fitting"] = space

    def _index(self, space: SearchSpace[Any]) -> dict[Hashable, int]:
        whose = (type(self), type(space), space.options) if self.identity == "network" else type(self)
        if whose not in self.table.indexes:
            index: dict[Hashable, int] = {}
            for row, key in enumerate(self.keys(space)):
                index.setdefault(key, row)
            self.table.indexes[whose] = index
        return self.table.indexes[whose]


def load_table(path: Path) -> Table:
    """Return the table at ``path``, read once per process and version of the file.

    Raises:
        DataError: it is no ``.npz`` file of plain arrays.
    """
    found = path.stat()
    return _load(path, found.st_mtime_ns, found.st_size)


def write_table(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write a compressed table, as a whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            columns: Any = arrays  # whose names its signature cannot know
            np.savez_compressed(stream, **columns)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@lru_cache(maxsize=16)
def _load(path: Path, modified: int, size: int) -> Table:
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as refused:
        # NumPy takes any file that is no archive for a pickle, and advises to load it unsafely.
        is_foreign = not isinstance(refused, OSError) and not zipfile.is_zipfile(path)
        reason = "it is no whole archive" if is_foreign else str(refused)
        raise DataError(f"{path}: not an .npz file of plain arrays ({reason}); get or convert it again") from None
    for array in arrays.values():
        array.setflags(write=False)
    return Table(path, arrays)
