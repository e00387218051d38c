import numpy as np
import pytest

from automl import (
    Architecture,
    Candidate,
    Column,
    ConfigurationError,
    Context,
    DataError,
    Metric,
    NotInTable,
    TableEvaluator,
    load_table,
    write_table,
)
from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace, TinyTask

CHOICES = ("a", "b", "c")


class Flat(TableEvaluator):
    """Half of the flat space."""

    file = "flat/table.npz"
    space = "flat"

    def answers(self):
        for row in self.table["choices"].tolist():
            yield {f"choice_{place}": CHOICES[choice] for place, choice in enumerate(row)}

    def columns(self):
        return (
            Column(Metric("accuracy", "max", "%"), self.table["accuracy"]),
            Column(Metric("seconds", "min", "s", is_simulated_time=True), self.table["seconds"]),
        )


class Cells(TableEvaluator):
    """Some cells, found by what they compute."""

    identity = "network"
    file = "cells/table.npz"
    space = "cells"
    listed: tuple = ()

    def answers(self):
        return iter(self.listed)

    def columns(self):
        return (Column(Metric("accuracy", "max"), self.table["accuracy"]),)


@pytest.fixture
def flat(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    rng = np.random.default_rng(0)
    choices = np.array(
        [[(number // 3**place) % 3 for place in range(6)] for number in range(0, 729, 2)], dtype=np.uint8
    )
    write_table(
        tmp_path / "flat" / "table.npz",
        {"choices": choices, "accuracy": np.float32(rng.random(len(choices))), "seconds": np.arange(len(choices))},
    )
    return tmp_path / "flat" / "table.npz"


def candidate(space, answers):
    return Candidate(space, Architecture.of(answers))


def context():
    return Context(TinyTask())


def test_every_row_is_found_and_answers_with_its_columns(flat):
    evaluator, space = Flat(), FlatSpace()
    raw = np.load(flat)
    for row, answers in enumerate(evaluator.answers()):
        found = evaluator.evaluate(candidate(space, answers), context())
        assert found == {"accuracy": float(raw["accuracy"][row]), "seconds": float(row)}
        assert all(type(value) is float for value in found.values())


def test_it_declares_its_columns_and_needs_no_task(flat):
    metrics = Flat().metrics(TinyTask())
    assert [(metric.name, metric.unit, metric.is_simulated_time) for metric in metrics] == [
        ("accuracy", "%", False),
        ("seconds", "s", True),
    ]
    assert (Flat.needs_task, Flat.identity) == (False, "architecture")


def test_an_architecture_without_a_row_fails_its_trial(flat):
    space = FlatSpace()
    absent = candidate(space, {f"choice_{place}": "b" if place == 0 else "a" for place in range(6)})
    assert Flat().row(absent) is None
    with pytest.raises(NotInTable, match=r"table\.npz has no row"):
        Flat().evaluate(absent, context())
    assert not issubclass(NotInTable, ConfigurationError), "it must not end the study"


def test_a_study_of_another_space_ends(flat):
    space = ConditionalSpace()
    other = Candidate(space, space.sample(np.random.default_rng(0)))
    with pytest.raises(ConfigurationError, match=r"another space than ConditionalSpace.*--space flat"):
        Flat().evaluate(other, context())


def test_rows_are_architectures_of_the_space(flat):
    space = FlatSpace()
    rows = list(Flat().rows(space))
    assert len(rows) == 365
    assert all(space.validate(architecture) == architecture for architecture, _ in rows)
    with pytest.raises(ConfigurationError, match="another space"):
        list(Flat().rows(ConditionalSpace()))


def test_rows_of_networks_are_found_in_any_encoding(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    space, rng = CellSpace(), np.random.default_rng(0)
    listed = [space.sample(rng) for _ in range(30)]
    write_table(tmp_path / "cells" / "table.npz", {"accuracy": np.arange(30.0)})
    monkeypatch.setattr(Cells, "listed", tuple(listed))
    first = {}
    for row, cell in enumerate(listed):
        first.setdefault(space.key(cell), row)
    others = [space.reorder(cell, rng) for cell in listed]
    assert any(other != cell for other, cell in zip(others, listed, strict=True))
    assert [Cells().row(Candidate(space, other)) for other in others] == [first[space.key(cell)] for cell in listed]


def test_a_table_is_read_once_and_again_when_it_changes(flat):
    assert Flat().table is Flat().table
    before = Flat().digest()
    arrays = {**load_table(flat).arrays, "accuracy": np.ones(365)}
    write_table(flat, arrays)
    assert Flat().table["accuracy"][0] == 1
    assert Flat().digest() != before


def test_tables_cannot_be_changed_by_who_reads_them(flat):
    with pytest.raises(ValueError, match="read-only"):
        Flat().table["accuracy"][0] = 3


def test_missing_and_unknown_things_are_named(flat, monkeypatch):
    with pytest.raises(DataError, match=r"unknown column of table\.npz 'acuracy'; did you mean 'accuracy'"):
        Flat().table["acuracy"]
    flat.unlink()
    with pytest.raises(DataError, match=r"flat/table\.npz is missing"):
        Flat().metrics(TinyTask())


@pytest.mark.parametrize("damage", ["text", "cut", "objects", "npy"])
def test_what_is_no_table_of_plain_arrays_is_refused_in_one_line(damage, flat):
    whole = flat.read_bytes()
    if damage == "objects":
        np.savez(flat, accuracy=np.array([{}], dtype=object))
    elif damage == "npy":
        with flat.open("wb") as stream:
            np.save(stream, np.ones(3))
    else:
        flat.write_bytes(b"hello" if damage == "text" else whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"not an \.npz file of plain arrays") as refused:
        Flat().metrics(TinyTask())
    assert "\n" not in str(refused.value)
    assert "If you trust the file" not in str(refused.value)


def test_columns_of_unequal_length_are_refused(flat):
    write_table(flat, {**load_table(flat).arrays, "seconds": np.ones(3)})
    with pytest.raises(DataError, match="seconds has 3 rows, but accuracy has 365"):
        Flat().metrics(TinyTask())


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "table.npz"
    with pytest.raises(ZeroDivisionError):
        write_table(path, {"a": np.ones(3), "b": Bad()})
    assert list(path.parent.iterdir()) == []


class Bad:
    def __array__(self, *_, **__):
        raise ZeroDivisionError
