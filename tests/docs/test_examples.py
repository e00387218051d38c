"""Each example runs from an empty folder, and says what it promises."""

import re
import subprocess
from collections.abc import Callable

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_every_example_is_run_here(checkout):
    assert {path.stem for path in (checkout / "examples").glob("*.py")} == {
        "quickstart",
        "own_arrays",
        "new_strategy",
        "draw_crossover",
    }


def test_quickstart(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "quickstart.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert re.search(r"completed with ([6-9]|\d\d) trials$", last), last


@pytest.mark.slow
def test_own_arrays(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "own_arrays.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "accuracy" in done.stdout


@pytest.mark.slow
def test_new_strategy(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "new_strategy.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("random_search: best")
    assert "new_strategy:LocalSearch: best" in done.stdout


def test_draw_crossover(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "draw_crossover.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "sep_crossover.png").read_bytes()[1:4] == b"PNG"
    assert re.fullmatch(r"\d edits, \d taken: sep_crossover\.png", done.stdout.strip())
