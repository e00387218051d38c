"""The comparisons of a study store, each written in one transaction together with all of its studies."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Table, case, func, insert, literal, select, update

from automl.errors import NameTaken
from automl.storage.models import ComparisonModel, LeaseModel, StudyModel, TrialModel
from automl.storage.records import ComparisonRecord, NewStudy, StudyRecord, numbers_from_json

Transaction = Callable[[], AbstractContextManager[Connection]]

_COMPARISONS = cast(Table, ComparisonModel.__table__)
_STUDIES = cast(Table, StudyModel.__table__)
_LEASES = cast(Table, LeaseModel.__table__)
_TRIALS = cast(Table, TrialModel.__table__)
SELECT_STUDIES = select(_STUDIES, _LEASES.c.elapsed).join(_LEASES, _LEASES.c.study_id == _STUDIES.c.id)
"""Every column of `automl.storage.records.StudyRecord`."""

_BATCH = 100


@dataclass(frozen=True, slots=True)
class TrialOutcome:
    """What a comparison needs to know of a told trial."""

    state: str
    metrics: Mapping[str, float]
    fidelity: float | None
    is_repeat: bool


class Comparisons:
    """The comparisons of one store; `automl.storage.store.Store.comparisons` makes it."""

    def __init__(self, transaction: Transaction, clock: Any) -> None:
        self._transaction, self._clock = transaction, clock

    def create(self, name: str, definition: Mapping[str, Any], studies: Sequence[NewStudy]) -> ComparisonRecord:
        """Write a comparison and its studies, in their order; raises `NameTaken` when a name is taken."""
        values = {"uid": uuid.uuid4().hex, "name": name, "definition": dict(definition), "created": time.time()}
        with self._transaction() as connection:
            refuse_taken(connection, name)
            key = connection.execute(insert(_COMPARISONS).values(values)).inserted_primary_key
            comparison_id = int(key[0]) if key else 0
            for start in range(0, len(studies), _BATCH):
                part = studies[start : start + _BATCH]
                for study in part:
                    refuse_taken(connection, study.name)
                insert_studies(connection, self._clock, part, comparison_id)
        return ComparisonRecord(id=comparison_id, **values)  # type: ignore[arg-type]

    def all(self) -> list[ComparisonRecord]:
        """Return all comparisons, oldest first."""
        with self._transaction() as connection:
            return [_record(row) for row in connection.execute(select(_COMPARISONS).order_by(_COMPARISONS.c.id))]

    def find(self, name: str) -> ComparisonRecord | None:
        """Return the comparison of that name, if there is one."""
        with self._transaction() as connection:
            row = connection.execute(select(_COMPARISONS).where(_COMPARISONS.c.name == name)).first()
        return None if row is None else _record(row)

    def redefine(self, comparison_id: int, definition: Mapping[str, Any]) -> None:
        """Change the definition, in what concerns its report alone: the studies keep theirs."""
        change = update(_COMPARISONS).where(_COMPARISONS.c.id == comparison_id).values(definition=dict(definition))
        with self._transaction() as connection:
            connection.execute(change)

    def studies(self, comparison_id: int) -> list[StudyRecord]:
        """Return the studies of a comparison, in the order in which they were written."""
        query = SELECT_STUDIES.where(_STUDIES.c.comparison_id == comparison_id).order_by(_STUDIES.c.id)
        with self._transaction() as connection:
            return [StudyRecord(**dict(row._mapping)) for row in connection.execute(query)]

    def states(self, comparison_id: int) -> list[tuple[str, str]]:
        """Return name and state of the studies of a comparison, in order: what `studies` says, and much faster."""
        query = select(_STUDIES.c.name, _STUDIES.c.state).where(_STUDIES.c.comparison_id == comparison_id)
        with self._transaction() as connection:
            return [(row.name, row.state) for row in connection.execute(query.order_by(_STUDIES.c.id))]

    def totals(self) -> dict[int, dict[str, float]]:
        """Return of each comparison, by id: its ``studies``, those ``ended``, and their ``elapsed`` seconds in all."""
        ended = func.sum(case((_STUDIES.c.state.in_(("completed", "exhausted")), 1), else_=0))
        query = (
            select(_STUDIES.c.comparison_id, func.count(), ended, func.sum(_LEASES.c.elapsed))
            .join(_LEASES, _LEASES.c.study_id == _STUDIES.c.id)
            .where(_STUDIES.c.comparison_id.is_not(None))
            .group_by(_STUDIES.c.comparison_id)
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        return {key: {"studies": count, "ended": done, "elapsed": elapsed} for key, count, done, elapsed in rows}

    def failed_trials(self) -> dict[int, int]:
        """Return how many trials failed in the studies of each comparison, by its id."""
        query = (
            select(_STUDIES.c.comparison_id, func.count())
            .join(_TRIALS, _TRIALS.c.study_id == _STUDIES.c.id)
            .where(_STUDIES.c.comparison_id.is_not(None), _TRIALS.c.state == "failed")
            .group_by(_STUDIES.c.comparison_id)
        )
        with self._transaction() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def outcomes(self, study_id: int) -> Iterator[TrialOutcome]:
        """Yield the told trials of a study in the order of proposals, without what a comparison does not look at."""
        query = (
            select(_TRIALS.c.state, _TRIALS.c.metrics, _TRIALS.c.fidelity, _TRIALS.c.duplicate_of)
            .where(_TRIALS.c.study_id == study_id, _TRIALS.c.told_order.is_not(None))
            .order_by(_TRIALS.c.number)
        )
        with self._transaction() as connection:
            rows = connection.execute(query).all()
        for state, metrics, fidelity, duplicate_of in rows:
            yield TrialOutcome(state, numbers_from_json(metrics), fidelity, duplicate_of is not None)


def refuse_taken(connection: Connection, name: str) -> None:
    """Raise `NameTaken` when a study or a comparison has that name."""
    if connection.execute(select(_STUDIES.c.id).where(_STUDIES.c.name == name)).first():
        raise NameTaken(
            f"a study named {name!r} exists already; continue it with `automl resume {name}`, or choose another name"
        )
    if connection.execute(select(_COMPARISONS.c.id).where(_COMPARISONS.c.name == name)).first():
        raise NameTaken(
            f"a comparison named {name!r} exists already; continue it with `automl resume {name}`, "
            "or choose another name"
        )


def insert_studies(
    connection: Connection, clock: Any, studies: Sequence[NewStudy], comparison_id: int | None = None
) -> None:
    """Insert new studies with their leases, which nobody holds."""
    rows = [
        {
            "uid": uuid.uuid4().hex,
            "name": study.name,
            "state": "created",
            "definition": dict(study.definition),
            "components": dict(study.components),
            "environment": dict(study.environment),
            "trials_budget": study.trials_budget,
            "time_budget": study.time_budget,
            "created": time.time(),
            "ask_seconds": 0.0,
            "comparison_id": comparison_id,
        }
        for study in studies
    ]
    connection.execute(insert(_STUDIES), rows)
    written = select(_STUDIES.c.id, clock, literal(0.0)).where(_STUDIES.c.uid.in_([row["uid"] for row in rows]))
    connection.execute(insert(_LEASES).from_select(["study_id", "heartbeat", "elapsed"], written))


def _record(row: Any) -> ComparisonRecord:
    return ComparisonRecord(**dict(row._mapping))
