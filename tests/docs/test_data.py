"""docs/data.md works as it stands: its file is written to a folder and its commands are run there."""

import json
import shlex

import pytest


@pytest.fixture
def page(documents, fences, tmp_path):
    found = fences(documents["docs/data.md"])
    for name, _, text in found:
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return found


def test_a_table_of_ones_own_can_be_searched(page, run, tmp_path):
    block = [text for name, language, text in page if language == "sh" and not name and "my_table.py" in text]
    make, search = (shlex.split(line) for line in block[0].splitlines())
    there = {"AUTOML_DATA_DIR": str(tmp_path / "data")}
    made = run(make[1:], tmp_path, **there)
    assert made.returncode == 0, made.stderr
    searched = run(["-m", *search, "--json", "--quiet", "--no-mlflow"], tmp_path, **there)
    assert searched.returncode == 0, searched.stderr
    summary = json.loads(searched.stdout)
    assert summary["trials"]["completed"] == 5
    assert summary["best"][0]["metrics"]["val_accuracy"] in (90.9, 91.3, 91.5)
