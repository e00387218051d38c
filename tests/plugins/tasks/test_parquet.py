import datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from automl import TaskError
from automl_plugins.tasks.csv import Csv, CsvOptions


def task(path, **options):
    return Csv(CsvOptions(path=path, target="y", **options))


@pytest.fixture
def columns():
    rng = np.random.default_rng(0)
    numbers = [None if row % 7 == 0 else float(value) for row, value in enumerate(rng.normal(size=70))]
    return {
        "x": numbers,
        "colour": [["red", "blue", None][row % 3] for row in range(70)],
        "y": ["ab"[row % 2] for row in range(70)],
    }


def test_parquet_is_the_same_problem_as_its_text(tmp_path, columns):
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    lines = [
        ",".join("" if value is None else str(value) for value in row) for row in zip(*columns.values(), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join([",".join(columns), *lines]))
    parquet, text = task(tmp_path / "t.parquet"), task(tmp_path / "t.csv")
    assert parquet.digest() == text.digest()
    assert parquet.classes == ("a", "b")


def test_text_that_looks_like_numbers_stays_text(tmp_path):
    codes = [f"0{row % 3}" for row in range(60)]
    pq.write_table(pa.table({"code": codes, "y": [row % 2 for row in range(60)]}), tmp_path / "t.parquet")
    assert task(tmp_path / "t.parquet").input_shape == (3,)


def test_columns_that_are_no_cells_are_left_out(tmp_path):
    table = pa.table({
        "list": [[1, 2]] * 60,
        "raw": [b"x"] * 60,
        "when": [datetime.date(2020, 1, 1 + row % 2) for row in range(60)],
        "flag": [row % 3 == 0 for row in range(60)],
        "y": [row / 7 for row in range(60)],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "t.pq")
    found = task(tmp_path / "t.pq")
    assert found.input_shape == (4,)
    assert found.task_kind == "regression"


def test_broken_and_empty_files_are_one_error(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(TaskError, match="not a Parquet file that can be read"):
        task(tmp_path / "a.parquet").digest()
    pq.write_table(pa.table({"y": pa.array([], pa.int64())}), tmp_path / "b.parquet")
    with pytest.raises(TaskError, match="no rows"):
        task(tmp_path / "b.parquet").digest()
