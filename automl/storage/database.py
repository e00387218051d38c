"""Opening a store: recognise what is there without changing it, create or upgrade it under a lock, connect.

Contract: a store is created or upgraded in one transaction, by one program at a time. Programs that open a new store
together all succeed, and one that is killed meanwhile leaves the store as it was. A database that is refused is left
as it was found.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Connection, Engine, NullPool, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from automl.errors import StoreError
from automl.storage.errors import in_plain_words, safe
from automl.storage.records import dumps

if TYPE_CHECKING:
    from alembic.config import Config

Durability = Literal["full", "normal"]
HEAD = "0003"
VERSION_TABLE = "automl_version"
MIGRATIONS = Path(__file__).parent / "migrations"

_BUSY_SECONDS = 30
_POSTGRES_LOCK = int.from_bytes(b"automl", "big")
_ALEMBIC = threading.Lock()  # Alembic hands its context to the scripts through module globals.


def open_database(
    url: str, *, durability: Durability = "full", create: bool = True, migrations: Path = MIGRATIONS, head: str = HEAD
) -> Engine:
    """Return a connected engine on a store of the current version.

    An empty or absent database is created (unless ``create`` is false), an older one is backed up and upgraded, and a
    newer, foreign or damaged one is refused.

    Args:
        url: any SQLAlchemy URL, or the path of a SQLite file.
        durability: ``full`` survives loss of power; ``normal`` may then lose the last commits (never a crash of the
            program) and is for table look-ups.
        create: whether an absent store is made.
        migrations: folder of the Alembic scripts.
        head: the version to which the scripts lead.

    Raises:
        StoreError: one line that says what was found and what to do.
    """
    full = store_url(url)
    with in_plain_words(full):
        path = _sqlite_path(make_url(full))
        if path is not None and not path.exists() and not create:
            raise StoreError(
                f"store {safe(url)} does not exist; run `automl search` first, or name another with --storage"
            )
        engine = create_engine(full, json_serializer=dumps, connect_args=_connect_args(full))
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_pragmas(durability))
        if _look(engine, full, path, head) != head:
            writer = engine if path is None else _locking_engine(full)
            _bring_up_to_date(writer, full, path, migrations, head)
        engine.connect().close()
    return engine


def found_version(url: str) -> str | None:
    """Return the version of the store at ``url``, ``None`` where there is none yet; nothing is created or changed.

    Raises:
        StoreError: it cannot be reached, is foreign, damaged or too new.
    """
    full = store_url(url)
    with in_plain_words(full):
        path = _sqlite_path(make_url(full))
        if path is not None and not path.exists():
            return None
        engine = create_engine(full, connect_args=_connect_args(full))
        try:
            return _look(engine, full, path, HEAD)
        finally:
            engine.dispose()


def is_locked(url: str) -> bool:
    """Say whether another program holds the write lock of a SQLite store now; of other databases none ever does."""
    path = _sqlite_path(make_url(store_url(url)))
    if path is None:
        return False
    with in_plain_words(url), closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError as error:
            if _is_kind(error, sqlite3.SQLITE_BUSY):
                return True
            raise
    return False


def store_url(url: str) -> str:
    """Return ``url`` as a database URL: a bare path means a SQLite file."""
    if "://" in url:
        try:
            make_url(url)
        except (ArgumentError, ValueError):  # ValueError: the port is no number.
            raise StoreError(f"store {safe(url)!r} is no database URL; write it as sqlite:///automl.db") from None
        return url
    return f"sqlite:///{url}"


def _connect_args(url: str) -> dict[str, Any]:
    return {"timeout": _BUSY_SECONDS} if url.startswith("sqlite") else {}


def _sqlite_path(url: URL) -> Path | None:
    if url.get_backend_name() != "sqlite" or url.query.get("mode") == "memory":
        return None
    place = (url.database or "").removeprefix("file:")
    return None if place in ("", ":memory:") else Path(place)


def _set_pragmas(durability: Durability) -> Callable[[sqlite3.Connection, object], None]:
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        _set_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'NORMAL'}")
        connection.execute("PRAGMA foreign_keys=ON")

    return on_connect


def _set_write_ahead_log(connection: sqlite3.Connection) -> None:
    """Set the journal mode, waiting ourselves: for this change SQLite does not wait until others are done."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if not _is_kind(error, sqlite3.SQLITE_BUSY) or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _look(engine: Engine, url: str, path: Path | None, head: str) -> str | None:
    """Return the version found, changing nothing; None where only a writer can tell, or there is no store yet."""
    reader = engine if path is None else _reading_engine(path)
    try:
        with reader.connect() as connection:
            return _version(connection, url, head)
    except OperationalError as error:
        # The file is absent, or a program was killed while writing it: only a writer may roll its journal back.
        if _is_kind(error.orig, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            return None
        raise


def _is_kind(error: BaseException | None, *codes: int) -> bool:
    """Say whether SQLite failed with one of the primary result ``codes``."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF in codes


def _reading_engine(path: Path) -> Engine:
    place = f"{path.absolute().as_uri()}?mode=ro"
    return create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS), poolclass=NullPool
    )


def _locking_engine(url: str) -> Engine:
    """Return an engine whose transactions hold SQLite's write lock from their beginning, tables included.

    By itself Python's driver begins no transaction before ``CREATE TABLE``, so that each would commit alone. See
    https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    """
    engine = create_engine(url, connect_args=_connect_args(url), poolclass=NullPool)
    event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


def _version(connection: Connection, url: str, head: str) -> str | None:
    """Return the version of the store, None where there are no tables; raises `StoreError` for one not to be used."""
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if VERSION_TABLE not in tables:
        raise StoreError(
            f"store {safe(url)} is a database of something else (it holds {', '.join(sorted(tables)[:3])}); "
            "choose another place with --storage"
        )
    found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if found is None:
        raise StoreError(
            f"store {safe(url)} is half-made: an older program was stopped while it created it; "
            "move it away, or choose another place with --storage"
        )
    if found > head:
        raise StoreError(
            f"store {safe(url)} has version {found}, newer than this program's {head}; upgrade automl-engine, "
            "or choose another place with --storage"
        )
    return str(found)


def _bring_up_to_date(engine: Engine, url: str, path: Path | None, migrations: Path, head: str) -> None:
    """Create or upgrade the store in one transaction, unless another program has just done so."""
    from alembic import command

    config = _alembic_config(migrations)
    with _ALEMBIC, engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_POSTGRES_LOCK})")
        found = _version(connection, url, head)
        if found == head:
            return
        if path is not None and found is not None:
            _backup(path, found)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _backup(path: Path, version: str) -> None:
    """Copy the database beside itself; the caller holds the write lock, and the copy gets its name when whole."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    with (
        closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as source,
        closing(sqlite3.connect(partial)) as copy,
    ):
        source.backup(copy)
    partial.replace(path.with_name(f"{path.name}.backup-{version}-{time.strftime('%Y%m%d-%H%M%S')}"))


def _alembic_config(migrations: Path) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
