"""docs/python-api.md works as it stands: its Python is run from top to bottom in an empty folder."""

import re

import pytest

import automl


@pytest.mark.slow
def test_the_page_runs_as_written(documents, fences, run, tmp_path):
    blocks = [text for _, language, text in fences(documents["docs/python-api.md"]) if language == "python"]
    assert len(blocks) == 5
    done = run(["-c", "\n".join(blocks)], tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match(r"completed \d 0\.\d+", lines[0])
    assert any(line.startswith("completed {'score': -") for line in lines)
    assert (tmp_path / "deployed" / "model.py").exists()


def test_its_functions_exist(documents):
    page = documents["docs/python-api.md"]
    table = page.split("| function |")[1].split("\n\n")[0]
    named = {name for row in re.findall(r"^\| (.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", row)}
    assert named == {"search", "resume", "load_study", "open_study", "retrain", "export", "compare", "correlate"}
    assert named <= set(automl.__all__)


def test_every_example_is_in_its_table(documents, checkout):
    for path in (checkout / "examples").glob("*.py"):
        assert f"](../examples/{path.name})" in documents["docs/python-api.md"], path.name
