"""Comparisons in the store, and the upgrade of a store that has none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine

from automl.errors import StoreError
from automl.storage.database import MIGRATIONS, _alembic_config
from automl.storage.records import NewStudy
from automl.storage.store import Store


def new(name: str) -> NewStudy:
    return NewStudy(name, {"seed": 1}, {"space x": {"version": "1"}}, {}, trials_budget=5)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "automl.db"))


def test_a_comparison_is_written_with_its_studies_in_order(store: Store) -> None:
    names = [f"c.{number}" for number in range(250)]
    record = store.comparisons.create("c", {"seeds": 2}, [new(name) for name in names])
    assert store.comparisons.find("c") == record
    assert [study.name for study in store.comparisons.studies(record.id)] == names
    assert store.comparisons.states(record.id) == [(name, "created") for name in names]
    assert all(study.comparison_id == record.id for study in store.studies())
    lease = store.acquire(store.study("c.7").id)
    store.release(lease, elapsed=2.5)
    assert store.comparisons.totals() == {record.id: {"studies": 250, "ended": 0, "elapsed": 2.5}}


def test_a_definition_can_be_changed_and_its_studies_keep_theirs(store: Store) -> None:
    record = store.comparisons.create("c", {"target": 1}, [new("c.0")])
    store.comparisons.redefine(record.id, {"target": 2})
    found = store.comparisons.find("c")
    assert found is not None
    assert (found.definition, found.uid) == ({"target": 2}, record.uid)
    assert store.study("c.0").definition == {"seed": 1}


def test_a_name_that_is_taken_leaves_nothing_behind(store: Store) -> None:
    store.create_study("c.150", {}, components={}, environment={})
    with pytest.raises(StoreError, match=r"a study named 'c\.150' exists already"):
        store.comparisons.create("c", {}, [new(f"c.{number}") for number in range(200)])
    assert store.comparisons.all() == []
    assert [study.name for study in store.studies()] == ["c.150"]


def test_time_to_ask_adds_up(store: Store) -> None:
    study = store.create_study("s", {}, components={}, environment={})
    assert study.ask_seconds == 0.0
    lease = store.acquire(study.id)
    store.add_ask_seconds(lease, 1.5)
    store.add_ask_seconds(lease, 0.25)
    assert store.study("s").ask_seconds == 1.75


def test_a_store_of_version_0001_keeps_its_studies_and_trials(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    make_0001(path)
    store = Store(str(path))
    study = store.study("old")
    assert (study.definition, study.ask_seconds, study.comparison_id, study.elapsed) == ({"seed": 3}, 0.0, None, 4.5)
    (trial,) = store.trials(study.id)
    assert (trial.metrics, trial.remarks, trial.thresholds) == ({"score": 0.5}, {}, {})
    store.comparisons.create("c", {}, [new("c.0")])
    assert [record.name for record in store.studies()] == ["old", "c.0"]
    (backup,) = tmp_path.glob("automl.db.backup-0001-*")
    with closing(sqlite3.connect(backup)) as connection:
        assert connection.execute("SELECT name FROM studies").fetchall() == [("old",)]


def make_0001(path: Path) -> None:
    """Write a store as version 0001 made it, with one study and one trial."""
    config = _alembic_config(MIGRATIONS)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "INSERT INTO studies (id, uid, name, state, definition, components, environment, created) "
            "VALUES (1, 'u', 'old', 'completed', '{\"seed\": 3}', '{}', '{}', 1.0)"
        )
        connection.execute("INSERT INTO leases (study_id, heartbeat, elapsed) VALUES (1, 0.0, 4.5)")
        connection.execute(
            "INSERT INTO trials (study_id, number, revision, state, architecture, canonical_key, cache_key, seed, "
            "note, metrics, attempts, is_cached, started) "
            "VALUES (1, 0, 1, 'completed', '[]', 'k', 'c', 0, '{}', '{\"score\": 0.5}', 1, 0, 1.0)"
        )
