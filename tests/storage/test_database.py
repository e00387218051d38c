"""Opening a store: what is created, upgraded or refused."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from automl.errors import StoreError
from automl.storage.database import HEAD, MIGRATIONS, open_database
from automl.storage.errors import safe
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


def opening(mode: str, *places: Path) -> list[str]:
    script = Path(__file__).with_name("opening.py")
    command = [sys.executable, str(script), mode, *map(str, places)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_programs_that_open_a_new_store_together_all_succeed(tmp_path: Path) -> None:
    assert opening("together", *(tmp_path / f"{number}.db" for number in range(8))) == ["[0, 0, 0, 0]"] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_store_whose_creator_was_killed_opens(tmp_path: Path) -> None:
    places = [tmp_path / f"{number}.db" for number in range(20)]
    exits = opening("killed", *places)
    assert "-9" in exits
    for path in places:
        assert Store(str(path)).studies() == []


def test_threads_that_open_new_stores_together_all_succeed(tmp_path: Path) -> None:
    places = [str(tmp_path / f"{number % 3}.db") for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda place: Store(place).studies(), places)) == [[]] * 12


def test_an_upgrade_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    Store(str(path)).close()
    newer = copy_migrations(tmp_path / "migrations")
    with (newer / "versions" / "9999_colour.py").open("a") as script:
        script.write("    op.execute('SELECT * FROM nowhere')\n")
    with pytest.raises(StoreError, match="no such table: nowhere"):
        open_database(str(path), migrations=newer, head="9999")
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM automl_version").fetchall() == [(HEAD,)]
        assert "colour" not in [row[1] for row in connection.execute("PRAGMA table_info(studies)")]
    assert not list(tmp_path.glob("*.partial*"))


def test_a_store_that_an_older_program_left_half_made_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "automl.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE automl_version (version_num VARCHAR(32) NOT NULL)")
    refused(path, "half-made: an older program was stopped while it created it; move it away")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_foreign_database_is_left_as_it_was(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "songs.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        connection.execute("CREATE TABLE songs (id INTEGER)")
    before = path.read_bytes()
    refused(path, "database of something else")
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == (mode,)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense://me:secret@host/x",
        "postgresql+nodriver://me:secret@host/x",
        "postgresql+psycopg://me:secret@host:port/x",
        "postgresql+psycopg://me:sec@secret:ret/secret@host/x",
        "postgresql+psycopg://host:port/x?password=secret",
        "://me:secret@host",
        "1://me:secret@host",
        "nowhere//me:secret@host/x",
        "sqlite://me:secret@host/x",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        Store(url)
    assert "secret" not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize("url", ["sqlite:///a.db", "sqlite:////data/me/a.db", "postgresql+psycopg://host:5432/x"])
def test_a_url_without_password_is_shown_as_it_is(url: str) -> None:
    assert safe(url) == url


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


def test_a_missing_driver_is_named_in_one_line() -> None:
    with pytest.raises(StoreError, match=r"needs the Python package '\w+'; for PostgreSQL: pip install") as caught:
        Store("postgresql+pg8000://somebody:secret@localhost/automl")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
