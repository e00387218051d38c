"""Conformance of study stores: a database of another kind is certified by naming its URL."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from automl.errors import LeaseHeld, LeaseLost, StoreError, StudyNotFound
from automl.storage.records import StudyRecord, TrialRecord
from automl.storage.store import Lease, Store
from automl.trial import TrialState

_TRIAL = TrialRecord(
    number=0,
    revision=0,
    state=TrialState.RUNNING,
    architecture={"depth": 2, "inputs": [0, 1], "name": "β", "is_on": True, "none": None, "rate": 1e-300},
    canonical_key="k0",
    cache_key="c0",
    fidelity=None,
    seed=2**62,
    note={"operator": "random", "parents": []},
    metrics={},
    error=None,
    error_kind=None,
    details=None,
    attempts=1,
    told_order=None,
    duplicate_of=None,
    is_cached=False,
    started=1_700_000_000.25,
    finished=None,
    thresholds={"zero_cost": {"bound": 0.1 + 0.2, "among": 20}},
)


class StorageSuite:
    """What every store must do. A subclass overrides the fixture ``url`` with a database that is new to each test."""

    @pytest.fixture
    def url(self) -> str:
        """URL of an empty database, to which several stores can connect."""
        raise NotImplementedError(f"{type(self).__name__} must say what it certifies: see the docstring of this method")

    @pytest.fixture
    def connect(self, url: str) -> Iterator[Callable[[], Store]]:
        """Opens the database, as another engine or reader would."""
        stores: list[Store] = []

        def connect() -> Store:
            stores.append(Store(url))
            return stores[-1]

        yield connect
        for store in stores:
            store.close()

    @pytest.fixture
    def store(self, connect: Callable[[], Store]) -> Store:
        """The store of the engine."""
        return connect()

    @pytest.fixture
    def study(self, store: Store) -> StudyRecord:
        """A study."""
        return _create(store, "one")

    @pytest.fixture
    def lease(self, store: Store, study: StudyRecord) -> Lease:
        """The right to write it."""
        return store.acquire(study.id)

    def test_a_study_is_read_back(self, store: Store, connect: Callable[[], Store]) -> None:
        """By another connection, in the order of creation, with everything that was written."""
        written = [_create(store, name) for name in ("one", "two")]
        assert connect().studies() == written
        assert written[0].definition == {"seed": 2**62, "name": "β", "nested": {"list": [1, None, 2.5]}}
        assert (written[0].state, written[0].trials_budget, written[0].time_budget) == ("created", 5, 2.5)
        assert written[0].uid != written[1].uid

    def test_names_are_unique_and_unknown_ones_are_answered(self, store: Store, study: StudyRecord) -> None:
        """With the nearest right name."""
        with pytest.raises(StoreError, match="exists already"):
            _create(store, "one")
        with pytest.raises(StudyNotFound, match="'one'"):
            store.study("onee")

    def test_a_trial_is_read_back(self, store: Store, connect: Callable[[], Store], lease: Lease) -> None:
        """Through another connection, types and non-finite numbers included."""
        store.add_trial(lease, _TRIAL)
        reader = connect()
        assert reader.trials(lease.study_id) == [_TRIAL]
        metrics = {"accuracy": 0.1 + 0.2, "params": 2.0**53, "worst": math.inf, "best": -math.inf}
        remarks = {"naswot": "unsupported: the network has no “ReLU”"}
        values: dict[str, Any] = {
            "metrics": metrics,
            "remarks": remarks,
            "error": "naïve\nlines",
            "error_kind": "raised",
        }
        _finish(store, lease, 0, **values, told_order=0)
        (found,) = reader.trials(lease.study_id)
        assert found == replace(
            _TRIAL,
            state="completed",
            **values,
            told_order=0,
            revision=1,
        )
        _finish(store, lease, 0, metrics={"score": math.nan}, revision=2)
        assert math.isnan(reader.trials(lease.study_id)[0].metrics["score"])

    def test_numbers_are_unique_within_a_study(self, store: Store, lease: Lease) -> None:
        """A second trial of the same number is refused, and nothing of it stays."""
        store.add_trial(lease, _TRIAL)
        with pytest.raises(StoreError):
            store.add_trial(lease, replace(_TRIAL, canonical_key="other"))
        assert store.trials(lease.study_id) == [_TRIAL]
        second = store.acquire(_create(store, "two").id)
        store.add_trial(second, _TRIAL)

    def test_the_told_order_is_kept(self, store: Store, lease: Lease) -> None:
        """Told trials come in it, whatever the page; the others in the order of their numbers."""
        for number in range(9):
            store.add_trial(lease, replace(_TRIAL, number=number))
        order = [3, 0, 7, 2, 5]
        for place, number in enumerate(order):
            _finish(store, lease, number, told_order=place)
        for batch in (1, 2, 5, 1_000):
            assert [trial.number for trial in store.told(lease.study_id, batch)] == order
        assert [trial.number for trial in store.untold(lease.study_id)] == [1, 4, 6, 8]

    def test_changes_are_found_by_revision(self, store: Store, lease: Lease) -> None:
        """In the order of the changes, so that a mirror misses none."""
        for number in range(4):
            store.add_trial(lease, replace(_TRIAL, number=number, revision=number + 1))
        _finish(store, lease, 1, revision=5)
        _finish(store, lease, 0, revision=6)
        found = store.trials(lease.study_id, after_revision=3)
        assert [(trial.number, trial.revision) for trial in found] == [(3, 4), (1, 5), (0, 6)]
        assert len(store.trials(lease.study_id, after_revision=3, limit=2)) == 2

    def test_several_changes_are_one(self, store: Store, connect: Callable[[], Store], lease: Lease) -> None:
        """All of a call's changes and reports are seen, or none of them."""
        for number in range(2):
            store.add_trial(lease, replace(_TRIAL, number=number))
        changes: list[tuple[int, dict[str, Any]]] = [(0, {"told_order": 0}), (1, {"told_order": 1})]
        with pytest.raises(StoreError):
            store.change_trials(lease, changes, reports=[(0, 0, {"loss": 1.0}), (0, 0, {"loss": 2.0})])
        reader = connect()
        assert list(reader.told(lease.study_id)) == []
        assert reader.reports(lease.study_id, 0) == []

    def test_reports_are_kept_by_step(self, store: Store, lease: Lease) -> None:
        """And replaced as a whole by those of another attempt."""
        for number in range(2):
            store.add_trial(lease, replace(_TRIAL, number=number))
        store.change_trials(lease, [], reports=[(0, 2, {"loss": math.inf}), (0, 1, {"loss": 2.0}), (1, 0, {"a": 1.0})])
        assert store.reports(lease.study_id, 0) == [(1, {"loss": 2.0}), (2, {"loss": math.inf})]
        store.change_trials(lease, [], reports=[(0, 0, {"loss": 3.0})])
        assert store.reports(lease.study_id, 0) == [(0, {"loss": 3.0})]
        assert store.reports(lease.study_id, 1) == [(0, {"a": 1.0})]

    def test_trials_are_counted_by_state(self, store: Store, lease: Lease) -> None:
        """Repeats are counted apart, and answers from other studies in both."""
        states = ["completed", "completed", "failed", "rejected", "pruned", "running"]
        for number, state in enumerate(states):
            store.add_trial(lease, replace(_TRIAL, number=number, state=state))
        store.add_trial(lease, replace(_TRIAL, number=6, state="completed", duplicate_of=0))
        store.add_trial(lease, replace(_TRIAL, number=7, state="completed", is_cached=True))
        wanted = {"completed": 3, "failed": 1, "rejected": 1, "pruned": 1, "running": 1, "duplicates": 2}
        assert store.counts(lease.study_id).items() >= wanted.items()
        assert store.last_original(lease.study_id) == 7

    def test_an_equal_evaluation_answers(self, store: Store, lease: Lease) -> None:
        """Of the own study any, the running ones too; of another only what was really evaluated to an end."""
        other = store.acquire(_create(store, "other").id)
        foreign = [("a", "running"), ("b", "failed"), ("c", "pruned"), ("d", "completed"), ("e", "rejected")]
        for number, (key, state) in enumerate(foreign):
            store.add_trial(other, replace(_TRIAL, number=number, cache_key=key, state=state))
        store.add_trial(other, replace(_TRIAL, number=5, cache_key="f", state="completed", duplicate_of=3))
        store.add_trial(other, replace(_TRIAL, number=6, cache_key="g", state="completed", is_cached=True))
        answers = {key: store.answer(lease.study_id, key) for key in "abcdefgh"}
        assert {key for key, found in answers.items() if found} == {"d", "e"}
        assert not any(found.is_own for found in answers.values() if found)
        for number, (key, state) in enumerate([*foreign, ("d", "running")]):
            store.add_trial(lease, replace(_TRIAL, number=number, cache_key=key, state=state))
        own = {key: store.answer(lease.study_id, key) for key in "abcde"}
        assert [found is not None and (found.number, found.is_own) for found in own.values()] == [
            (number, True) for number in range(5)
        ]

    def test_one_engine_owns_a_study(self, store: Store, connect: Callable[[], Store], study: StudyRecord) -> None:
        """Another is refused, with who holds it, until the lease is given back; readers are not."""
        lease = store.acquire(study.id)
        rival = connect()
        assert rival.is_live(study.id)
        with pytest.raises(LeaseHeld, match="process"):
            rival.acquire(study.id)
        assert rival.trials(study.id) == []
        store.release(lease)
        assert not rival.is_live(study.id)
        taken = rival.acquire(study.id)
        with pytest.raises(LeaseLost):
            store.renew(lease)
        rival.renew(taken)

    def test_only_one_of_many_gets_the_lease(self, connect: Callable[[], Store], study: StudyRecord) -> None:
        """However many ask at the same time."""
        start, got = threading.Barrier(4), list[str]()

        def ask() -> None:
            rival = connect()
            start.wait()
            try:
                rival.acquire(study.id)
                got.append("taken")
            except LeaseHeld:
                got.append("held")
            rival.close_connection()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(got) == ["held", "held", "held", "taken"]

    def test_an_engine_that_slept_too_long_cannot_write(
        self, store: Store, connect: Callable[[], Store], lease: Lease, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Once another has taken over, every write of the first is refused and leaves no trace."""
        store.add_trial(lease, _TRIAL)
        rival = connect()
        with monkeypatch.context() as patched:
            patched.setattr("automl.storage.store.LEASE_SECONDS", -1.0)
            taken = rival.acquire(lease.study_id)
        writes: list[Callable[[], object]] = [
            lambda: store.add_trial(lease, replace(_TRIAL, number=1)),
            lambda: store.change_trials(lease, [(0, {"state": "failed"})], reports=[(0, 0, {"loss": 1.0})]),
            lambda: store.set_state(lease, "completed"),
            lambda: store.set_budget(lease, 99, None),
            lambda: store.renew(lease, 5.0),
            lambda: store.release(lease),
        ]
        for write in writes:
            with pytest.raises(LeaseLost):
                write()
        found = rival.study("one")
        assert rival.trials(lease.study_id) == [_TRIAL]
        assert rival.reports(lease.study_id, 0) == []
        assert (found.state, found.trials_budget, found.elapsed) == ("created", 5, 0.0)
        assert rival.is_live(lease.study_id)
        rival.set_state(taken, "running")

    def test_budget_state_and_time_are_kept(self, store: Store, lease: Lease) -> None:
        """Time adds up over renewals."""
        store.set_budget(lease, 7, None)
        store.set_state(lease, "failed", "because")
        for seconds in (1.5, 2.0):
            store.renew(lease, seconds)
        store.release(lease, 0.25)
        found = store.study("one")
        assert (found.trials_budget, found.time_budget, found.elapsed) == (7, None, 3.75)
        assert (found.state, found.reason) == ("failed", "because")

    def test_readers_see_only_what_is_committed_and_all_of_it(
        self, store: Store, connect: Callable[[], Store], lease: Lease
    ) -> None:
        """From another thread too."""
        reader, seen = connect(), list[int]()
        for number in range(5):
            store.add_trial(lease, replace(_TRIAL, number=number))
            thread = threading.Thread(target=lambda: seen.append(len(reader.trials(lease.study_id))))
            thread.start()
            thread.join()
        assert seen == [1, 2, 3, 4, 5]


def _create(store: Store, name: str) -> StudyRecord:
    definition = {"seed": 2**62, "name": "β", "nested": {"list": [1, None, 2.5]}}
    return store.create_study(
        name, definition, components={"space x": {}}, environment={"os": "any"}, trials_budget=5, time_budget=2.5
    )


def _finish(store: Store, lease: Lease, number: int, **changes: Any) -> None:
    values = {"state": "completed", "revision": 1, **changes}
    store.change_trials(lease, [(number, values)])
