import json

import numpy as np
import pytest
import tiny_tables

from automl.data import DataSource
from automl.plugins import registry


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    there = tmp_path / "data"
    there.mkdir()
    monkeypatch.setenv("AUTOML_DATA_DIR", str(there))
    return there


def test_status_names_every_source_and_how_to_get_it(automl, folder):
    ran = automl("data", "status")
    assert ran.code == 0
    assert str(folder) in ran.out
    for name in registry().names("data"):
        source = registry().load("data", name)()
        assert f"{name}: {source.origin}" in ran.out
        assert all(file.name in ran.out for file in source.files)


def test_status_as_json_says_what_is_there(automl, folder):
    path = tiny_tables.write_nas_bench_201(folder)
    shown = json.loads(automl("data", "status", "--json").out)
    assert shown["folder"] == str(folder)
    [source] = [source for source in shown["sources"] if source["name"] == "nas_bench_201"]
    states = {file["name"]: file["state"] for file in source["files"]}
    assert states["nasbench201.npz"] == "differs", "made-up numbers are not the published ones"
    assert states["latency_ms.npz"] == "missing"
    assert source["files"][0]["size"] == path.stat().st_size
    unread = json.loads(automl("data", "status", "--json", "--no-verify").out)
    assert unread["sources"][shown["sources"].index(source)]["files"][0]["state"] == "present"


def test_path_is_printed_alone(automl, folder):
    path = tiny_tables.write_nas_bench_201(folder)
    assert automl("data", "path", "nas_bench_201", "nasbench201.npz").out == f"{path}\n"
    assert automl("data", "path", "nas_bench_201").out == f"{path.parent}\n"


def test_missing_data_and_unknown_names_are_errors_of_the_user(automl):
    missing, unknown = automl("data", "path", "nas_bench_101"), automl("data", "path", "nas_bench_102")
    assert (missing.code, missing.err.count("\n")) == (4, 1)
    assert "nasbench101 is missing" in missing.err
    assert (unknown.code, "did you mean 'nas_bench_101'" in unknown.err) == (4, True)
    assert automl("data", "path", "nas_bench_201", "latency.npz").code == 2


def test_convert_writes_where_the_evaluator_looks(automl, folder, monkeypatch):
    monkeypatch.setattr(type(registry().load("data", "nas_bench_101")()), "convert", write)
    ran = automl("data", "convert", "nas_bench_101", "official.tfrecord")
    written = folder / "nasbench101" / "nasbench101.npz"
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"{written}: ")
    again = automl("data", "convert", "nas_bench_101", "official.tfrecord")
    assert (again.code, "--force" in again.err) == (2, True)
    assert automl("data", "convert", "nas_bench_101", "official.tfrecord", "--force").code == 0
    elsewhere = folder / "mine.npz"
    assert automl("data", "convert", "nas_bench_101", "official.tfrecord", "--target", elsewhere).code == 0
    assert elsewhere.exists()


def test_a_source_that_cannot_be_converted_says_so(automl):
    ran = automl("data", "convert", "darts_1k", "anything")
    assert (ran.code, "no official files of darts_1k" in ran.err) == (2, True)


def test_a_wrong_file_is_one_line_and_leaves_nothing(automl, folder, tmp_path):
    wrong = tmp_path / "wrong.tfrecord"
    wrong.write_bytes(b"this is no record of any kind")
    ran = automl("data", "convert", "nas_bench_101", wrong)
    assert (ran.code, ran.err.count("\n")) == (4, 1)
    assert not list(folder.rglob("*.npz*"))


def write(self: DataSource, source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    np.savez(target, a=np.ones(2))
