"""docs/first-plugin.md works as it stands: its files are written to a folder and its commands are run there."""

import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
Fences = list[tuple[str, str, str]]


@pytest.fixture(scope="module")
def page(documents: dict[str, str], fences: Callable[[str], Fences]) -> Fences:
    return fences(documents["docs/first-plugin.md"])


@pytest.fixture
def folder(page: Fences, tmp_path: Path) -> Path:
    for name, _, text in page:
        if name:
            (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def commands(page: Fences) -> list[list[str]]:
    blocks = [text.replace("\\\n", " ") for name, language, text in page if language == "sh" and not name]
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_page_holds_what_it_promises(page):
    files = {name for name, _, _ in page if name}
    assert files == {
        "my_space.py",
        "my_strategy.py",
        "my_evaluator.py",
        "my_plugin.py",
        "test_my_plugin.py",
        "pyproject.toml",
    }
    assert [command[:3] for command in commands(page)] == [
        *[["python", "-m", "automl"]] * 3,
        ["python", "-m", "pytest"],
    ]


@pytest.mark.slow
def test_all_three_search_together(page, folder, run: Run):
    """The last search of the page: own space, strategy and evaluator."""
    together = [command for command in commands(page) if "my_evaluator:GradientNorm" in command]
    done = run([*together[-1][1:], "--json", "--quiet"], folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["state"] == "completed"
    assert sum(summary["trials"][state] for state in ("completed", "rejected", "failed")) == 8
    assert summary["trials"]["failed"] == 0
    assert summary["best"][0]["metrics"]["gradient_norm"] > 0


@pytest.mark.slow
def test_every_search_of_the_page_runs(page, folder, run: Run):
    for command in commands(page):
        if command[2] == "automl":
            done = run([*command[1:], "--json", "--quiet"], folder)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["trials"]["failed"] == 0


@pytest.mark.parametrize(
    "chosen", ["TestHillClimber and retelling", pytest.param("Test", marks=pytest.mark.slow)], ids=["one", "all"]
)
def test_suites_certify_all_three(chosen, page, folder, run: Run):
    [command] = [command for command in commands(page) if command[2] == "pytest"]
    done = run([*command[1:], "-q", "-p", "no:cacheprovider", "-k", chosen], folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= (1 if "and" in chosen else 30)


def test_entry_point_registers_all_three(folder, run: Run):
    """What `pip install .` leaves behind, without pip: the metadata that entry points are read from."""
    project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    points = project["entry-points"]["automl"]
    metadata = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8"
    )
    lines = [f"{name} = {module}\n" for name, module in points.items()]
    (metadata / "entry_points.txt").write_text("[automl]\n" + "".join(lines), encoding="utf-8")
    done = run(["-m", "automl", "list"], folder, AUTOML_STRICT_PLUGINS="1")
    assert done.returncode == 0, done.stderr
    for name in ("small_mlp", "hill_climber", "gradient_norm"):
        assert re.search(rf"^{name} .*{project['name']} {project['version']}", done.stdout, re.MULTILINE), done.stdout


def test_files_pass_our_own_linter(folder):
    found = subprocess.run(
        [
            sys.executable,
            "-m",
            "ruff",
            "check",
            "--isolated",
            "--select",
            "B,E,F,W",
            "--line-length",
            "120",
            str(folder),
        ],
        capture_output=True,
        text=True,
    )
    if "No module named ruff" in found.stderr:
        pytest.skip("ruff is not installed")
    assert found.returncode == 0, found.stdout
