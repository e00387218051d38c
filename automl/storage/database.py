"""Opening a store: connect, recognise what is there, create or upgrade it."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from automl.errors import StoreError
from automl.storage.errors import in_plain_words, safe
from automl.storage.records import dumps

Durability = Literal["full", "normal"]
HEAD = "0001"
VERSION_TABLE = "automl_version"
MIGRATIONS = Path(__file__).parent / "migrations"

_BUSY_SECONDS = 30


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
            raise StoreError(f"store {path} does not exist; run `automl search` first, or name another with --storage")
        engine = create_engine(full, json_serializer=dumps, connect_args=_connect_args(full))
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", _set_pragmas(durability))
        _bring_up_to_date(engine, full, path, migrations, head)
    return engine


def store_url(url: str) -> str:
    """Return ``url`` as a database URL: a bare path means a SQLite file."""
    if "://" in url:
        try:
            make_url(url)
        except ArgumentError:
            raise StoreError(f"store {url!r} is no database URL; write it as sqlite:///automl.db") from None
        return url
    return f"sqlite:///{url}"


def _connect_args(url: str) -> dict[str, Any]:
    return {"timeout": _BUSY_SECONDS} if url.startswith("sqlite") else {}


def _sqlite_path(url: URL) -> Path | None:
    in_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)) if in_file else None


def _set_pragmas(durability: Durability) -> Any:
    def on_connect(connection: sqlite3.Connection, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durability == 'full' else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    return on_connect


def _bring_up_to_date(engine: Engine, url: str, path: Path | None, migrations: Path, head: str) -> None:
    tables = set(inspect(engine).get_table_names())
    if not tables:
        return _upgrade(engine, migrations)
    if VERSION_TABLE not in tables:
        raise StoreError(
            f"store {safe(url)} is a database of something else (it holds {', '.join(sorted(tables)[:3])}); "
            "choose another place with --storage"
        )
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    if found == head:
        return None
    if found is None or found > head:
        raise StoreError(
            f"store {safe(url)} has version {found}, newer than this program's {head}; upgrade automl-engine, "
            "or choose another place with --storage"
        )
    if path is not None:
        _backup(path, found)
    return _upgrade(engine, migrations)


def _backup(path: Path, version: str) -> Path:
    target = path.with_name(f"{path.name}.backup-{version}-{time.strftime('%Y%m%d-%H%M%S')}")
    with sqlite3.connect(path) as source, sqlite3.connect(target) as copy:
        source.backup(copy)
    return target


def _upgrade(engine: Engine, migrations: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
