import json
import sqlite3
from types import SimpleNamespace

import pytest

from automl.doctor import machine, software
from automl.doctor.examination import examine
from automl.doctor.finding import Finding
from automl.doctor.store import store
from automl.plugins import BrokenPlugin, Registry
from automl.storage.database import HEAD


def of(found, part):
    return [one for one in found if one.part == part]


def test_doctor_says_what_is_there_and_that_it_works(tiny, automl, monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path))
    tiny("--trials", "2", "--study", "s", "--quiet")
    ran = automl("doctor")
    assert ran.code == 0, ran.out
    for part in ("python", "torch", "optuna", "mlflow", "sqlalchemy", "device", "threads", "store", "disk", "data"):
        assert f"ok    {part} " in ran.out
    assert f"version {HEAD}, can be read and written, 1 study" in ran.out
    assert "everything works here" in ran.out


def test_json_has_every_finding_and_a_failure_has_exit_code_1(automl, tmp_path):
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 100)
    ran = automl("doctor", "--storage", "bad.db", "--json")
    told = json.loads(ran.out)
    assert ran.code == 1
    assert told["failed"] == 1
    [bad] = [one for one in told["findings"] if one["level"] == "fail"]
    assert (bad["part"], bad["advice"]) == ("store", "move it away or choose another place with --storage")


def test_a_store_that_is_not_there_yet_is_no_failure_and_is_not_made(tmp_path):
    [found], opened = store(str(tmp_path / "new.db"))
    assert (found.level, opened) == ("ok", None)
    assert not (tmp_path / "new.db").exists()
    [found], _ = store(str(tmp_path / "nowhere" / "new.db"))
    assert found.level == "fail"


@pytest.mark.parametrize(("version", "level", "word"), [("9999", "fail", "upgrade"), ("0002", "warn", "backup")])
def test_a_store_of_another_version_is_left_as_it_is(version, level, word, tiny):
    tiny("--trials", "2", "--quiet")
    _execute("automl.db", f"UPDATE automl_version SET version_num = '{version}'")
    [found], _ = store("automl.db")
    assert found.level == level
    assert word in found.advice
    assert _execute("automl.db", "SELECT version_num FROM automl_version") == [(version,)]


def test_a_lock_of_another_program_is_seen(tiny):
    tiny("--trials", "2", "--quiet")
    holder = sqlite3.connect("automl.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    [found], _ = store("automl.db")
    holder.execute("ROLLBACK")
    holder.close()
    assert found.level == "warn"
    assert "locked by another program" in found.found
    assert store("automl.db")[0][0].level == "ok"


def test_studies_that_run_or_were_left_are_named(tiny):
    tiny("--trials", "2", "--study", "s", "--quiet")
    found, opened = store("automl.db")
    assert [one.level for one in found] == ["ok"]
    lease = opened.acquire(opened.study("s").id)
    assert store("automl.db")[0][1].found.endswith(", which is this one")
    opened.set_state(lease, "running")
    opened.release(lease)
    left = store("automl.db")[0][1]
    assert (left.found, left.advice) == ("interrupted or failed: s", "go on with: automl resume s")


def test_a_password_is_not_shown():
    [found], _ = store("postgresql+psycopg://me:secret@localhost:1/x")
    assert found.level == "fail"
    assert "secret" not in found.found + found.advice


def test_a_broken_plugin_is_a_warning_with_its_error(monkeypatch):
    known = Registry(broken=[BrokenPlugin("mine", "my-plugin", "1.0", "ImportError: no module named 'x'")])
    monkeypatch.setattr(software, "registry", lambda: known)
    found = software.plugins()[-1]
    assert found.level == "warn"
    assert "mine (my-plugin 1.0) was left out: ImportError" in found.found
    assert "pip install -U my-plugin" in found.advice


def test_a_library_that_is_missing_or_broken_fails_with_what_to_type(monkeypatch):
    assert software._library("no-such-library", "x") == Finding(
        "no-such-library", "fail", "not installed", "pip install no-such-library"
    )
    monkeypatch.setattr(software, "installed_version", lambda name: "1.0")
    broken = software._library("torch", "no_such_module")
    assert broken.level == "fail"
    assert "cannot be imported: No module named" in broken.found


def test_a_full_disk_fails_and_a_low_one_warns(monkeypatch, tmp_path):
    for free, level in ((10**6, "fail"), (10**9, "warn"), (10**11, "ok")):
        monkeypatch.setattr(machine.shutil, "disk_usage", lambda place, free=free: SimpleNamespace(free=free))
        assert machine.disk(tmp_path).level == level


def test_more_threads_than_cores_are_a_warning(monkeypatch):
    monkeypatch.setattr(machine, "usable_cores", lambda: 0)
    found = machine.threads({"OMP_NUM_THREADS": "64"})
    assert found.level == "warn"
    assert "OMP_NUM_THREADS is 64" in found.found


def test_a_data_folder_that_is_named_and_not_there_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path / "gone"))
    first = of(examine(str(tmp_path / "s.db")), "data")[0]
    assert (first.level, first.found) == ("warn", f"{tmp_path / 'gone'} (AUTOML_DATA_DIR) does not exist")


def test_a_tracking_server_that_does_not_answer_is_a_warning(monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    [found] = [one for one in of(examine(str(tmp_path / "s.db")), "mlflow") if "127.0.0.1" in one.found]
    assert found.level == "warn"
    assert "does not answer" in found.found


@pytest.mark.slow
def test_a_mirror_that_is_behind_is_named_with_the_command_that_mends_it(tiny, automl, tmp_path):
    tiny("--trials", "3", "--study", "s", "--quiet")
    from automl import load_study
    from automl.plugins import registry

    tracker = registry().load("tracker", "mlflow")
    store_url = load_study("s").store.url
    tracker.sync(load_study("s"))
    assert dict(tracker.standing(store_url, [load_study("s")]).behind) == {}
    automl("resume", "s", "--trials", "5", "--quiet")
    assert dict(tracker.standing(store_url, [load_study("s")]).behind) == {"s": (3, 5)}


def _execute(path, statement):
    with sqlite3.connect(path) as connection:
        return connection.execute(statement).fetchall()
