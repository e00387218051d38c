"""Opening a store: what is created, upgraded or refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from automl.errors import StoreError
from automl.storage.database import HEAD, MIGRATIONS, open_database
from automl.storage.models import Base
from automl.storage.store import Store


def test_migrations_lead_to_the_models(tmp_path: Path) -> None:
    engine = open_database(str(tmp_path / "automl.db"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "automl_version"})
        differences = [d for d in compare_metadata(context, Base.metadata) if "automl_version" not in str(d)]
    assert differences == []


def test_head_is_the_newest_migration() -> None:
    assert max(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py")) == HEAD


def test_an_older_database_is_backed_up_and_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    store = Store(str(path))
    store.create_study("kept", {"seed": 1}, components={}, environment={})
    store.close()
    newer = copy_migrations(tmp_path / "migrations")
    engine = open_database(str(path), migrations=newer, head="9999")
    with engine.connect() as connection:
        row = connection.exec_driver_sql("SELECT name, colour FROM studies").one()
    assert tuple(row) == ("kept", None)
    (backup,) = tmp_path.glob("automl.db.backup-*")
    assert Store(str(backup)).study("kept").definition == {"seed": 1}


def copy_migrations(folder: Path) -> Path:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((MIGRATIONS / "env.py").read_text())
    for path in (MIGRATIONS / "versions").glob("*.py"):
        (folder / "versions" / path.name).write_text(path.read_text())
    (folder / "versions" / "9999_colour.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '9999'\ndown_revision = {HEAD!r}\n"
        "def upgrade():\n    op.add_column('studies', sa.Column('colour', sa.Text))\n"
    )
    return folder


def refused(path: Path, match: str) -> None:
    with pytest.raises(StoreError, match=match) as caught:
        Store(str(path))
    assert "\n" not in str(caught.value)


def test_a_newer_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE automl_version SET version_num = '9999'")
    refused(path, "version 9999, newer than this program's")


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    path.write_text("this is a text file, and a rather long one, since SQLite reads a header first\n" * 40)
    refused(path, "not a SQLite database")


def test_a_damaged_database_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    store = Store(str(path))
    for number in range(50):
        store.create_study(f"s{number}", {"filler": "x" * 2_000}, components={}, environment={})
    store.close()
    blob = bytearray(path.read_bytes())
    blob[100:] = os.urandom(len(blob) - 100)
    path.write_bytes(blob)
    refused(path, "damaged|not a SQLite database")


def test_a_database_of_something_else_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE songs (id INTEGER)")
    refused(path, "database of something else .it holds songs.")


def test_a_folder_that_does_not_exist_is_refused_in_one_line(tmp_path: Path) -> None:
    refused(tmp_path / "nowhere" / "automl.db", "cannot be opened; does the folder exist")


@pytest.mark.parametrize("url", ["nonsense://x", "mysql+nodriver://x/y", "://"])
def test_a_url_that_is_none_is_refused_in_one_line(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert "\n" not in str(caught.value)


def test_an_absent_store_is_not_created_by_readers(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist; run `automl search` first"):
        Store(str(tmp_path / "automl.db"), create=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "setuid"), reason="needs POSIX users")
def test_a_read_only_folder_is_refused_in_one_line() -> None:
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    folder.chmod(0o555)
    code = (
        "import os, sys; from automl.storage.store import Store; import automl.storage.models; import psutil\n"
        "import alembic.command, alembic.config, sqlalchemy.dialects.sqlite\n"
        "from automl.errors import StoreError\n"
        "os.geteuid() or os.setuid(65534)\n"
        "try:\n    Store(sys.argv[1])\nexcept StoreError as error:\n    print('refused:', error)\n"
    )
    found = subprocess.run([sys.executable, "-c", code, str(folder / "automl.db")], capture_output=True, text=True)
    assert "refused:" in found.stdout, found.stderr
    assert "cannot be opened" in found.stdout or "read-only" in found.stdout


def test_pragmas_follow_the_durability(tmp_path: Path) -> None:
    for durability, level in (("full", 2), ("normal", 1)):
        engine = open_database(str(tmp_path / f"{durability}.db"), durability=durability)  # type: ignore[arg-type]
        with engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == level
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
