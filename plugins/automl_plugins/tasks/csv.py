"""Task ``csv``: a table of your own, with numbers, categories and missing values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from torch import Tensor

from automl import Guess, SplitName, Task, TaskError, TaskKind, TensorSplit, digest_of
from automl_plugins.tasks._splits import find_path
from automl_plugins.tasks._table_contents import PREPARATION, Contents, TableOptions, contents_of
from automl_plugins.tasks._table_files import TableFile, column_names, is_parquet, is_table, read_file

_SPACE = "mlp"
_NAMED = 20


class CsvOptions(TableOptions):
    """Options of `Csv`."""

    path: Path
    """The file, from the current folder or else from the folder that AUTOML_DATA_DIR names; `.gz` is unpacked, and
    `.parquet` is read as such."""

    target: str
    """Name of the column to learn."""

    test_path: Path | None = None
    """A second file with the same columns, whose rows are the test split; otherwise that is drawn, too."""


class Csv(Task):
    """Rows of a comma-separated file with a header, or of a Parquet file: classification or regression.

    Types of columns are inferred and logged; those of text in a Parquet file stay text. Numbers are standardised by the
    training split, missing ones become its median, with an indicator; categories become features of 0 or 1, missing
    being one of them. Columns that are constant, or text that differs in every row, are left out. Rows without a target
    are left out with a warning. ``rmse`` is in the unit of the file.
    """

    Options = CsvOptions
    reads = "a table (.csv, .tsv, .parquet), with the name of its target column"

    @classmethod
    def recognise(cls, path: Path, target: str | None = None) -> Guess | None:
        """Return a guess for a table, or for a folder with one called ``train`` and one called ``test``."""
        files = _train_and_test(path) if path.is_dir() else [path] if is_table(path) else []
        if not files:
            return None
        names = column_names(files[0])
        shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        if target is None:
            raise TaskError(f"{files[0]}: a table; name the column to learn as --target; its columns are {shown}")
        if target not in names:
            raise TaskError(f"{files[0]}: there is no column {target!r}; the columns are {shown}")
        form = "Parquet table" if is_parquet(files[0]) else "table"
        understood = f"a {form} of {len(names)} columns, of which {target!r} is learnt"
        options = {"path": str(files[0]), "target": target}
        if len(files) > 1:
            understood += f", and {files[1].name} with the test rows"
            options["test_path"] = str(files[1])
        return Guess(understood, options, space=_SPACE, has_target=True)

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
        return f"{PREPARATION}; the task csv does it."

    def load(self, split: SplitName) -> TensorSplit:
        return self._contents.split(split)

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the task's metrics; ``rmse`` in the unit of the file, ``loss`` as trained on."""
        values = self._contents.values
        return values.metrics(self, outputs, targets) if values else super().metrics(outputs, targets)

    def digest(self) -> str:
        contents = self._contents
        return digest_of("csv", self.task_kind, str(self.input_shape), *contents.classes, *contents.bytes())

    @cached_property
    def _contents(self) -> Contents:
        options, source = self.options, f"csv {self.options.path}"
        table = read_file(find_path(options.path, "file"))
        if options.test_path is not None and options.target in table.cells:
            table = table.followed_by(self._test_rows(table))
        return contents_of(table, options.target, options, source)

    def _test_rows(self, table: TableFile) -> TableFile:
        """Return the rows of the second file; raises `TaskError` where they do not fit the first one's."""
        options = self.options
        more = read_file(find_path(options.test_path, "file"), "test")
        if list(more.cells) != list(table.cells):
            raise TaskError(f"{options.test_path}: columns differ from those of {options.path}; make them equal")
        return more


def _train_and_test(folder: Path) -> list[Path]:
    """Return the tables called train and test in a folder, in this order; none unless there is just one of each."""
    tables = sorted(path for path in folder.iterdir() if is_table(path))
    named = {path.name.lower().partition(".")[0]: path for path in tables}
    return [named["train"], named["test"]] if len(tables) == len(named) and {"train", "test"} <= set(named) else []
