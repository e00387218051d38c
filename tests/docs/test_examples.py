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
        "own_data_to_onnx",
        "new_space",
        "pareto_under_latency",
        "ask_and_tell",
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


@pytest.mark.slow
def test_own_data_to_onnx(checkout, run: Run, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done = run([str(checkout / "examples" / "own_data_to_onnx.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "onnxruntime and PyTorch agree on 8 random inputs; the classes are circle, square, triangle" in done.stdout
    assert {path.name for path in (tmp_path / "deployed").iterdir()} >= {"MODEL_CARD.md", "model.onnx"}


@pytest.mark.slow
def test_new_space(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "new_space.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(re.findall(r"^0\.\d+ with [\d,]+ parameters: ", done.stdout, re.MULTILINE)) == 3


@pytest.mark.slow
def test_pareto_under_latency(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "pareto_under_latency.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    limit = float(re.search(r"^limit ([\d.]+) ms: \d+ of \d+ trials rejected", done.stdout)[1])
    found = [float(text) for text in re.findall(r"parameters, ([\d.]+) ms$", done.stdout, re.MULTILINE)]
    assert all(latency <= limit + 0.01 for latency in found)


@pytest.mark.slow
def test_ask_and_tell(checkout, run: Run, tmp_path):
    done = run([str(checkout / "examples" / "ask_and_tell.py")], tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        *(f"trial {number}" for number in range(4)),
        "completed",
        "trial 4",
        "trial 5",
        "completed",
    ]


def test_examples_are_in_the_readme(documents, checkout):
    for path in (checkout / "examples").glob("*.py"):
        assert f"](examples/{path.name})" in documents["README.md"], path.name
