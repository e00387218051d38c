import gzip
import logging

import numpy as np
import pytest
import torch

from automl import TaskError
from automl_plugins.tasks import _notices
from automl_plugins.tasks._tables import Categorical, Numeric, encode, read_table, typed
from automl_plugins.tasks.csv import Csv, CsvOptions


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch):
    monkeypatch.setattr(_notices, "_SAID", set())


def write(path, header, rows):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def task(path, target="y", **options):
    return Csv(CsvOptions(path=path, target=target, **options))


@pytest.fixture
def mixed(tmp_path):
    """60 rows: a number with gaps, a category with gaps, an identifier, a constant, and two classes."""
    rows = [
        ",".join(
            [
                "" if i % 10 == 0 else str(i / 4),
                "?" if i % 6 == 0 else ("red", "blue")[i % 2],
                f"id{i}",
                "7",
                "no" if i % 3 else "yes",
            ]
        )
        for i in range(60)
    ]
    return write(tmp_path / "mixed.csv", "size,colour,name,same,y", rows)


def test_types_are_inferred_and_told(mixed, caplog):
    with caplog.at_level(logging.INFO, logger="automl"):
        made = task(mixed)
        assert made.input_shape == (5,)
    told = caplog.messages[0]
    assert "1 numeric columns: size" in told
    assert "1 categorical: colour (3)" in told
    assert "16 missing values: size (6), colour (10)" in told
    assert "left out: name (every value differs), same (constant)" in told
    assert made.task_kind == "classification"
    assert made.classes == ("no", "yes")


def test_numbers_are_standardised_by_the_training_split(mixed):
    train = task(mixed).split("train").inputs
    assert float(train[:, 0].mean()) == pytest.approx(0, abs=1e-5)
    assert float(train[:, 0].std(correction=0)) == pytest.approx(1, abs=1e-5)
    assert set(train[:, 1:].unique().tolist()) == {0.0, 1.0}


def test_missing_numbers_become_the_median_with_an_indicator():
    column = Numeric("n", np.array([1.0, 2.0, 9.0, np.nan, np.nan]))
    found = encode([column], np.array([0, 1, 2, 3]), 9, "t").features
    filled = np.array([1.0, 2.0, 9.0, 2.0])
    assert found[:4, 0] == pytest.approx((filled - filled.mean()) / filled.std())
    assert found[4, 0] == found[3, 0]
    assert found[:, 1].tolist() == [0, 0, 0, 1, 1]


def test_categories_that_training_has_not_seen_are_none_of_them():
    column = Categorical("c", ("a", "b", "a", "b", "c", None))
    assert encode([column], np.arange(4), 9, "t").features.tolist() == [[1, 0], [0, 1], [1, 0], [0, 1], [0, 0], [0, 0]]


def test_rare_categories_share_a_feature():
    column = Categorical("c", ("a", "a", "b", "c", "d", None))
    found = encode([column], np.array([0, 1, 2, 3, 5]), 1, "t").features
    assert found.tolist() == [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 1, 0], [0, 0, 1]]


def test_test_rows_do_not_change_what_is_learnt_from():
    numbers, words = [1.0, 2.0, 3.0, 100.0], ("a", "b", "a", "z")
    both = [Numeric("n", np.array(numbers)), Categorical("c", words)]
    other = [Numeric("n", np.array([*numbers[:3], -5.0])), Categorical("c", (*words[:3], "b"))]
    train = np.arange(3)
    assert np.array_equal(encode(both, train, 9, "t").features[:3], encode(other, train, 9, "t").features[:3])


def test_numbers_are_classes_values_or_warned_about(tmp_path, caplog):
    rows = [f"{i},{i % 2},{i % 5},{i / 7}" for i in range(100)]
    path = write(tmp_path / "t.csv", "x,two,five,many", rows)
    assert task(path, "two").task_kind == "classification"
    assert task(path, "many").task_kind == "regression"
    assert not caplog.messages
    assert task(path, "five").output_size == 5
    assert "task.learn=values" in caplog.text
    assert task(path, "five", learn="values").output_size == 1


def test_rmse_is_in_the_unit_of_the_file(tmp_path):
    path = write(tmp_path / "t.csv", "x,y", [f"{i},{100.5 * i}" for i in range(50)])
    made = task(path)
    targets = made.split("validation").targets
    scale = float(np.std([100.5 * float(i) for i in range(50)]))
    found = made.metrics(targets[:, None] + 1.0, targets)
    assert found["rmse"] == pytest.approx(scale, rel=0.1)
    assert found["loss"] == pytest.approx(1.0)


def test_a_second_file_is_the_test_split(tmp_path):
    path = write(tmp_path / "train.csv", "x,c,y", [f"{i},{'ab'[i % 2]},{'uv'[i % 2]}" for i in range(20)])
    test = write(tmp_path / "test.csv", "x,c,y", ["3,a,u", "4,new,v"])
    made = task(path, test_path=test)
    assert [len(made.split(part)) for part in ("train", "validation", "test")] == [16, 4, 2]
    assert made.split("test").inputs[:, 1:].tolist() == [[1, 0], [0, 0]]
    assert made.split("test").targets.tolist() == [0, 1]


def test_rows_without_a_target_are_left_out(tmp_path, caplog):
    path = write(tmp_path / "t.csv", "x,y", [f"{i},{'NA' if i < 5 else 'ab'[i % 2]}" for i in range(45)])
    made = task(path)
    assert sum(len(made.split(part)) for part in ("train", "validation", "test")) == 40
    assert "5 rows have no 'y'" in caplog.text


def test_delimiters_quotes_and_compression_are_understood(tmp_path):
    text = 'a;"b;c"\n1;"two\nlines, one cell"\n'
    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress(text.encode("utf-8-sig")))
    assert read_table(path) == {"a": ["1"], "b;c": ["two\nlines, one cell"]}


def test_columns_can_be_ignored_or_declared_categorical(tmp_path):
    path = write(tmp_path / "t.csv", "code,x,y", [f"{i % 3},{i * 1.5},{'ab'[i % 2]}" for i in range(30)])
    assert task(path).input_shape == (2,)
    assert task(path, categorical=["code"]).input_shape == (4,)
    assert task(path, ignore=["x"]).input_shape == (1,)


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "no rows"),
        ("x,y\n", {}, "no rows"),
        ("x,x\n1,2\n", {}, "each differently"),
        ("x,y\n1\n", {}, "row 1 has 1 cells, but the header 2"),
        ("x,z\n1,2\n", {}, "no column 'y'; the columns are x, z"),
        ("x,y\n1,a\n2,a\n", {}, "two classes or more"),
        ("x,y\n1,a\n2,b\n3,a\n4,b\n5,a\n6,b\n", {"learn": "values"}, "holds text"),
        ("x,y\n" + "1,a\n1,b\n" * 4, {}, "say nothing"),
        ("x,y\n" + "inf,a\n1,b\n" * 4, {}, "infinite number in row 1"),
        ("x,y\n1,a\n2,a\n3,a\n4,b\n", {}, "class 'b' has 1 example"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, options, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(TaskError, match=message) as raised:
        task(path, **options).split("train")
    assert "\n" not in str(raised.value)


def test_words_for_missing_are_known_in_any_case():
    assert isinstance(typed("n", ["1", "NaN", "N/A", "?", " ".strip()], "t"), Numeric)
    assert isinstance(typed("n", ["1", "1_000"], "t"), Categorical)


def test_the_digest_follows_the_options(mixed):
    digests = {
        task(mixed, **options).digest() for options in ({}, {"seed": 1}, {"ignore": ["colour"]}, {"ignore": ["size"]})
    }
    assert len(digests) == 4
    assert torch.isfinite(task(mixed).split("test").inputs).all()
