"""The lease of a study: who may write it, by the database's clock."""

from __future__ import annotations

import contextlib
import socket
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import psutil
from sqlalchemy import Connection, Table, Update, bindparam, literal_column, select, update

from automl.errors import LeaseHeld, StoreError
from automl.storage.models import LeaseModel

LEASE_SECONDS = 30.0

_LEASES = cast(Table, LeaseModel.__table__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one study; ``owner`` is unique to one engine.

    >>> Lease(study_id=1, owner="8c3f")
    Lease(study_id=1, owner='8c3f')
    """

    study_id: int
    owner: str


def database_clock(dialect: str) -> Any:
    """Return the SQL expression of the database's time, in seconds since 1970."""
    seconds = {
        "sqlite": "((julianday('now') - 2440587.5) * 86400.0)",
        "postgresql": "extract(epoch from clock_timestamp())::float",
        "mysql": "unix_timestamp(now(6))",
    }
    if dialect not in seconds:
        raise StoreError(f"databases of kind {dialect!r} are not supported; use sqlite or postgresql")
    return literal_column(seconds[dialect])


def renewal(clock: Any) -> Update:
    """Return the statement that renews the lease of ``of_study`` if ``of_owner`` has it, and adds ``spent`` seconds."""
    return (
        update(_LEASES)
        .where(_LEASES.c.study_id == bindparam("of_study"), _LEASES.c.owner == bindparam("of_owner"))
        .values(heartbeat=clock, elapsed=_LEASES.c.elapsed + bindparam("spent"))
    )


def take(connection: Connection, clock: Any, study_id: int, lifetime: float) -> Lease:
    """Take the lease of a study if it is free; raises `LeaseHeld`. See `holder` for ``lifetime``."""
    me = uuid.uuid4().hex
    process = psutil.Process()
    row = connection.execute(select(_LEASES.c.owner).where(_LEASES.c.study_id == study_id)).first()
    if held := holder(connection, clock, study_id, lifetime):
        raise LeaseHeld(held)
    was = row.owner if row is not None else None
    same_owner = _LEASES.c.owner.is_(None) if was is None else _LEASES.c.owner == was
    taken = connection.execute(
        update(_LEASES)
        .where(_LEASES.c.study_id == study_id, same_owner)
        .values(owner=me, host=_host(), pid=process.pid, process_started=process.create_time(), heartbeat=clock)
    )
    if taken.rowcount != 1:
        raise LeaseHeld("another engine has just taken this study; wait for it, or stop it first")
    return Lease(study_id, me)


def holder(connection: Connection, clock: Any, study_id: int, lifetime: float) -> str | None:
    """Say in a sentence who works on the study, None when nobody does.

    Args:
        connection: in a transaction on the store.
        clock: of `database_clock`.
        study_id: the study.
        lifetime: the seconds after its last heartbeat at which a lease is free.
    """
    columns = [_LEASES, (clock - _LEASES.c.heartbeat).label("age")]
    row = connection.execute(select(*columns).where(_LEASES.c.study_id == study_id)).first()
    if row is None or row.owner is None or row.age > lifetime:
        return None
    if row.host == _host() and not _is_alive(row.pid, row.process_started):
        return None
    if row.host == _host() and row.pid == psutil.Process().pid:
        return (
            f"this study is being worked on by process {row.pid} on {row.host}, which is this one; let that end first "
            "(`study.close()` where it was asked)"
        )
    return (
        f"this study is being worked on by process {row.pid} on {row.host} (last sign of life "
        f"{max(row.age, 0):.0f} s ago); wait for it, or stop that process first"
    )


def _host() -> str:
    """Return the host's name with its process table, which containers of one name and one kernel do not share."""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
        return f"{socket.gethostname()} ({boot}-{Path('/proc/self/ns/pid').stat().st_ino})"
    return socket.gethostname()


def _is_alive(pid: int, started: float) -> bool:
    try:
        return bool(abs(psutil.Process(pid).create_time() - started) < 1.0)
    except psutil.Error:
        return False
