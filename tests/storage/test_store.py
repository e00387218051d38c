"""The store: studies, the lease, and failures of the disk."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from sqlalchemy import text

from automl.api import go_on, load_study, start
from automl.definition import parse_definition
from automl.errors import LeaseHeld, LeaseLost, StoreError, StudyNotFound
from automl.storage.store import LEASE_SECONDS, Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(str(tmp_path / "automl.db"))
    opened.create_study("one", {}, components={}, environment={})
    return opened


def definition(**changes: object) -> dict[str, object]:
    return {
        "name": "small",
        "space": {"name": "automl_fakes:MlpSpace"},
        "task": {"name": "automl_fakes:NoData"},
        "strategy": "random_search",
        "evaluators": [{"name": "automl_fakes:Landscape"}],
        "budget": {"trials": 5},
        "trackers": [],
        **changes,
    }


def test_a_second_study_of_the_same_name_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="automl resume one"):
        store.create_study("one", {}, components={}, environment={})


def test_an_unknown_study_is_answered_with_the_nearest(store: Store) -> None:
    with pytest.raises(StudyNotFound, match="did you mean 'one'"):
        store.study("oen")


def test_a_live_study_cannot_be_taken_and_says_who_holds_it(store: Store) -> None:
    study = store.study("one")
    store.acquire(study.id)
    with pytest.raises(LeaseHeld, match=r"worked on by process \d+ on "):
        Store(store.url).acquire(study.id)
    assert store.is_live(study.id)


def test_a_released_lease_is_free(store: Store) -> None:
    study = store.study("one")
    store.release(store.acquire(study.id))
    assert not store.is_live(study.id)
    store.acquire(study.id)


def acquire_and_die(url: str, study_id: int) -> None:
    Store(url).acquire(study_id)


def test_the_lease_of_a_dead_process_is_free_at_once(store: Store) -> None:
    study = store.study("one")
    process = multiprocessing.get_context("spawn").Process(target=acquire_and_die, args=(store.url, study.id))
    process.start()
    process.join()
    store.acquire(study.id)


def test_a_lease_without_heartbeat_expires_and_its_owner_can_write_no_more(store: Store) -> None:
    study = store.study("one")
    old = store.acquire(study.id)
    with store._transaction() as connection:
        age = LEASE_SECONDS + 1
        connection.execute(text(f"UPDATE leases SET heartbeat = heartbeat - {age}, host = 'elsewhere'"))
    new = store.acquire(study.id)
    with pytest.raises(LeaseLost):
        store.renew(old)
    with pytest.raises(LeaseLost):
        store.set_state(old, "completed")
    store.renew(new, elapsed=2.5)
    assert store.study("one").elapsed == 2.5


def test_a_full_disk_stops_a_study_in_one_line_and_loses_nothing(tmp_path: Path) -> None:
    storage = str(tmp_path / "automl.db")
    start(parse_definition(definition()), storage=storage)
    store = Store(storage)
    with store._transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    from sqlalchemy import event

    event.listen(store._engine, "connect", lambda c, _: c.execute(f"PRAGMA max_page_count={pages}"))
    store.close()
    study = load_study("small", store=store)
    with pytest.raises(StoreError, match="disk is full; free some space, then continue with `automl resume`") as caught:
        go_on(study, trials=60)
    assert "\n" not in str(caught.value)
    recovered = load_study("small", storage=storage)
    assert recovered.store.counts(recovered.record.id)["completed"] >= 5
    assert go_on(recovered, trials=60).state == "completed"
    assert recovered.store.counts(recovered.record.id)["completed"] == 60


def test_a_result_is_shared_between_studies_and_still_counts(tmp_path: Path) -> None:
    storage = str(tmp_path / "automl.db")
    first = start(parse_definition(definition()), storage=storage)
    second = start(parse_definition(definition(name="second")), storage=storage)
    alone = start(parse_definition(definition(name="second")), storage=str(tmp_path / "alone.db"))
    counts = second.store.counts(second.record.id)
    assert counts["completed"] == 5
    assert counts["duplicates"] >= 5
    assert all(trial.is_cached or trial.duplicate_of is not None for trial in second.trials)
    assert [t.metrics for t in second.trials] == [t.metrics for t in alone.trials]
    assert [t.architecture for t in first.trials] == [t.architecture for t in second.trials]


def test_other_settings_of_an_evaluator_share_nothing(tmp_path: Path) -> None:
    storage = str(tmp_path / "automl.db")
    start(parse_definition(definition()), storage=storage)
    other = definition(name="second", evaluators=[{"name": "automl_fakes:Landscape", "seconds": 0.001}])
    assert not any(trial.is_cached for trial in start(parse_definition(other), storage=storage).trials)
