"""The study store: every state change of a study goes through here, first.

Contract: one engine owns a study at a time (`Lease`); it is the study's only writer. Every method commits before it
returns, and every write of an engine renews its lease in the same transaction, so that an engine whose lease was taken
over cannot write. Readers need no lease.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Select, Table, and_, bindparam, delete, func, insert, or_, select, update

from automl.errors import LeaseLost, StudyNotFound, unknown_name
from automl.storage.comparisons import SELECT_STUDIES, Comparisons, insert_studies, refuse_taken
from automl.storage.database import Durability, open_database, store_url
from automl.storage.errors import in_plain_words, safe
from automl.storage.lease import LEASE_SECONDS, Lease, database_clock, holder, renewal, take
from automl.storage.models import LeaseModel, ReportModel, StudyModel, TrialModel
from automl.storage.records import Answer, NewStudy, StudyRecord, TrialRecord, numbers_from_json, numbers_to_json

__all__ = ["LEASE_SECONDS", "Lease", "Store"]

_STUDIES = cast(Table, StudyModel.__table__)
_LEASES = cast(Table, LeaseModel.__table__)
_TRIALS = cast(Table, TrialModel.__table__)
_REPORTS = cast(Table, ReportModel.__table__)
_ANSWERED = ("number", "duplicate_of", "state", "metrics", "error", "error_kind", "remarks")
_TRIAL_COLUMNS = [column for column in _TRIALS.c if column.name not in ("id", "study_id")]


class Store:
    """Studies and trials in a SQL database.

    A store may be used from several threads; each holds its own connection.

    >>> store = Store("sqlite://")
    >>> store.studies()
    []
    """

    def __init__(self, url: str, *, durability: Durability = "full", create: bool = True) -> None:
        self.url = store_url(url)
        self._engine = open_database(url, durability=durability, create=create)
        self._clock = database_clock(self._engine.dialect.name)
        self._renewal = renewal(self._clock)
        self._local = threading.local()

    @property
    def display_url(self) -> str:
        """The URL without its password."""
        return safe(self.url)

    def close_connection(self) -> None:
        """Close this thread's connection; the next call opens another."""
        if (connection := getattr(self._local, "connection", None)) is not None:
            connection.close()
            self._local.connection = None

    def close(self) -> None:
        """Close this thread's connection and the pool."""
        self.close_connection()
        self._engine.dispose()

    @property
    def comparisons(self) -> Comparisons:
        """The comparisons in this store."""
        return Comparisons(self._transaction, self._clock)

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with in_plain_words(self.url):
            connection: Connection | None = getattr(self._local, "connection", None)
            if connection is None or connection.closed:
                connection = self._local.connection = self._engine.connect()
            with connection.begin():
                yield connection

    # Studies.

    def create_study(
        self,
        name: str,
        definition: Mapping[str, Any],
        *,
        components: Mapping[str, Any],
        environment: Mapping[str, Any],
        trials_budget: int | None = None,
        time_budget: float | None = None,
    ) -> StudyRecord:
        """Write a new study in state ``created``; raises `NameTaken` when the name is taken."""
        new = NewStudy(name, definition, components, environment, trials_budget, time_budget)
        with self._transaction() as connection:
            refuse_taken(connection, name)
            insert_studies(connection, self._clock, [new])
        return self.study(name)

    def studies(self) -> list[StudyRecord]:
        """Return all studies, oldest first."""
        with self._transaction() as connection:
            return [_study_record(row) for row in connection.execute(SELECT_STUDIES.order_by(_STUDIES.c.id))]

    def study(self, name: str) -> StudyRecord:
        """Return the study of that name; raises `StudyNotFound` with the nearest one."""
        with self._transaction() as connection:
            row = connection.execute(SELECT_STUDIES.where(_STUDIES.c.name == name)).first()
        if row is None:
            if self.comparisons.find(name) is not None:
                raise StudyNotFound(
                    f"{name!r} is a comparison; `automl studies {name}` lists its studies, and "
                    f"`automl compare {name} --report-only` reports what they found"
                )
            known = [study.name for study in self.studies() if study.comparison_id is None]
            raise StudyNotFound(unknown_name("study", name, known, "automl studies") + f"\n  store: {self.display_url}")
        return _study_record(row)

    def is_live(self, study_id: int) -> bool:
        """Say whether an engine owns the study now."""
        with self._transaction() as connection:
            return holder(connection, self._clock, study_id, LEASE_SECONDS) is not None

    def owner(self, study_id: int) -> str | None:
        """Say in a sentence which engine works on the study now; ``None`` when none does."""
        with self._transaction() as connection:
            return holder(connection, self._clock, study_id, LEASE_SECONDS)

    def set_budget(self, lease: Lease, trials: int | None, seconds: float | None) -> None:
        """Change the budget of a study."""
        with self._owned(lease) as connection:
            self._update_study(connection, lease, trials_budget=trials, time_budget=seconds)

    def set_state(self, lease: Lease, state: str, reason: str | None = None) -> None:
        """Change the state of a study."""
        with self._owned(lease) as connection:
            self._update_study(connection, lease, state=state, reason=reason)

    def add_ask_seconds(self, lease: Lease, seconds: float) -> None:
        """Add to the time that the study's strategy took to ask and to learn."""
        with self._owned(lease) as connection:
            self._update_study(connection, lease, ask_seconds=_STUDIES.c.ask_seconds + seconds)

    def _update_study(self, connection: Connection, lease: Lease, **values: object) -> None:
        connection.execute(update(_STUDIES).where(_STUDIES.c.id == lease.study_id).values(values))

    # The lease.

    def acquire(self, study_id: int) -> Lease:
        """Take the study's lease.

        A lease is free when nobody has it, when its heartbeat is `LEASE_SECONDS` old by the database's clock, or when
        its owner was a process of this host that is gone.

        Raises:
            LeaseHeld: somebody else works on the study; the message says who.
        """
        with self._transaction() as connection:
            return take(connection, self._clock, study_id, LEASE_SECONDS)

    def renew(self, lease: Lease, elapsed: float = 0.0) -> None:
        """Renew the lease and add ``elapsed`` seconds to the study; raises `LeaseLost`."""
        with self._owned(lease, elapsed):
            pass

    def release(self, lease: Lease, elapsed: float = 0.0) -> None:
        """Give the lease back."""
        with self._owned(lease, elapsed) as connection:
            connection.execute(update(_LEASES).where(_LEASES.c.study_id == lease.study_id).values(owner=None))

    @contextmanager
    def _owned(self, lease: Lease, elapsed: float = 0.0) -> Iterator[Connection]:
        with self._transaction() as connection:
            values = {"of_study": lease.study_id, "of_owner": lease.owner, "spent": elapsed}
            renewed = connection.execute(self._renewal, values)
            if renewed.rowcount != 1:
                raise LeaseLost("another engine has taken over this study while this one slept; it writes no more")
            yield connection

    # Trials.

    def add_trial(self, lease: Lease, trial: TrialRecord) -> None:
        """Write a trial before it runs, or an answered duplicate."""
        with self._owned(lease) as connection:
            connection.execute(_ADD, _row(lease, trial))

    def change_trials(
        self,
        lease: Lease,
        changes: Sequence[tuple[int, Mapping[str, Any]]],
        *,
        reports: Iterable[tuple[int, int, Mapping[str, float]]] = (),
        elapsed: float = 0.0,
    ) -> None:
        """Change columns of trials, by number, and add reports ``(number, step, metrics)``, in one transaction."""
        with self._owned(lease, elapsed) as connection:
            for number, values in changes:
                columns = {name: _column(name, value) for name, value in values.items()}
                connection.execute(_CHANGE, {"of_study": lease.study_id, "of_number": number, **columns})
            rows = [_report_row(lease, report) for report in reports]
            if rows:
                numbers = {row["number"] for row in rows}
                stale = and_(_REPORTS.c.study_id == lease.study_id, _REPORTS.c.number.in_(numbers))
                connection.execute(delete(_REPORTS).where(stale))
                connection.execute(insert(_REPORTS), rows)

    def trials(self, study_id: int, *, after_revision: int = -1, limit: int | None = None) -> list[TrialRecord]:
        """Return trials in order of number; with ``after_revision`` only those changed since, in order of revision."""
        order = _TRIALS.c.number if after_revision < 0 else _TRIALS.c.revision
        query = select(*_TRIAL_COLUMNS).where(_TRIALS.c.study_id == study_id, _TRIALS.c.revision > after_revision)
        with self._transaction() as connection:
            return [_trial_record(row) for row in connection.execute(query.order_by(order).limit(limit))]

    def told(self, study_id: int, batch: int = 1_000) -> Iterator[TrialRecord]:
        """Yield the told trials in the told order, reading ``batch`` at a time."""
        last = -1
        while True:
            query = (
                select(*_TRIAL_COLUMNS)
                .where(_TRIALS.c.study_id == study_id, _TRIALS.c.told_order > last)
                .order_by(_TRIALS.c.told_order)
                .limit(batch)
            )
            with self._transaction() as connection:
                records = [_trial_record(row) for row in connection.execute(query)]
            yield from records
            if len(records) < batch:
                return
            last = records[-1].told_order or 0

    def untold(self, study_id: int) -> list[TrialRecord]:
        """Return the trials that no strategy has learnt of yet, in order of number."""
        query = select(*_TRIAL_COLUMNS).where(_TRIALS.c.study_id == study_id, _TRIALS.c.told_order.is_(None))
        with self._transaction() as connection:
            return [_trial_record(row) for row in connection.execute(query.order_by(_TRIALS.c.number))]

    def last_original(self, study_id: int) -> int:
        """Return the highest number of a trial that repeats no other of its study; -1 when there is none."""
        query = select(func.max(_TRIALS.c.number)).where(
            _TRIALS.c.study_id == study_id, _TRIALS.c.duplicate_of.is_(None)
        )
        with self._transaction() as connection:
            found = connection.execute(query).scalar()
        return -1 if found is None else int(found)

    def counts(self, study_id: int) -> dict[str, int]:
        """Return the number of trials by state, without ``repeats`` of the study's own, and ``duplicates``.

        Duplicates are all trials answered from the store: the repeats, and what other studies had evaluated.
        """
        repeat = _TRIALS.c.duplicate_of.is_not(None)
        query = (
            select(_TRIALS.c.state, repeat, _TRIALS.c.is_cached, func.count())
            .where(_TRIALS.c.study_id == study_id)
            .group_by(_TRIALS.c.state, repeat, _TRIALS.c.is_cached)
        )
        totals = dict.fromkeys(("completed", "failed", "rejected", "pruned", "running", "repeats", "duplicates"), 0)
        with self._transaction() as connection:
            for state, is_repeat, is_cached, count in connection.execute(query):
                totals["repeats" if is_repeat else state] += count
                if is_repeat or is_cached:
                    totals["duplicates"] += count
        return totals

    def reports(self, study_id: int, number: int) -> list[tuple[int, dict[str, float]]]:
        """Return the intermediate metrics of a trial as ``(step, metrics)``, in order of step."""
        query = select(_REPORTS.c.step, _REPORTS.c.metrics).where(
            _REPORTS.c.study_id == study_id, _REPORTS.c.number == number
        )
        with self._transaction() as connection:
            rows = connection.execute(query.order_by(_REPORTS.c.step))
            return [(row.step, numbers_from_json(row.metrics)) for row in rows]

    def answer(self, study_id: int, cache_key: str) -> Answer | None:
        """Return what an earlier trial with this cache key found, and whether it is one of this study's own.

        Of this study any trial answers, running ones too; of another, only a completed or rejected one that was really
        evaluated.
        """
        with self._transaction() as connection:
            row = connection.execute(_ANSWER, {"of_study": study_id, "of_key": cache_key}).first()
        if row is None:
            return None
        found = {name: row._mapping[name] for name in _ANSWERED}
        return Answer(**{**found, "metrics": numbers_from_json(row.metrics)}, is_own=bool(row.is_own))


def _answer_query() -> Select[Any]:
    own = _TRIALS.c.study_id == bindparam("of_study")
    foreign = and_(
        _TRIALS.c.state.in_(("completed", "rejected")),
        _TRIALS.c.duplicate_of.is_(None),
        _TRIALS.c.is_cached.is_(False),
        _TRIALS.c.details.is_(None),  # what a caller told (`automl.told`) says nothing about the evaluators
    )
    return (
        select(*(_TRIALS.c[name] for name in _ANSWERED), own.label("is_own"))
        .where(_TRIALS.c.cache_key == bindparam("of_key"), or_(own, foreign))
        .order_by(own.desc(), _TRIALS.c.id)
        .limit(1)
    )


_ANSWER = _answer_query()
_ADD = insert(_TRIALS).inline()  # made once: SQLAlchemy takes longer over a new statement than SQLite over the row
_CHANGE = update(_TRIALS).where(_TRIALS.c.study_id == bindparam("of_study"), _TRIALS.c.number == bindparam("of_number"))


def _study_record(row: Any) -> StudyRecord:
    return StudyRecord(**dict(row._mapping))


def _trial_record(row: Any) -> TrialRecord:
    values = {column.name: row._mapping[column.name] for column in _TRIAL_COLUMNS}
    values["metrics"] = numbers_from_json(values["metrics"])
    return TrialRecord(**values)


def _row(lease: Lease, trial: TrialRecord) -> dict[str, Any]:
    values = {column.name: _column(column.name, getattr(trial, column.name)) for column in _TRIAL_COLUMNS}
    return {"study_id": lease.study_id, **values}


def _column(name: str, value: Any) -> Any:
    return numbers_to_json(value) if name == "metrics" else value


def _report_row(lease: Lease, report: tuple[int, int, Mapping[str, float]]) -> dict[str, Any]:
    number, step, metrics = report
    return {"study_id": lease.study_id, "number": number, "step": step, "metrics": numbers_to_json(metrics)}
