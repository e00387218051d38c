"""Plugins of one file: loaded for a run, by worker processes too, and found again when a study is resumed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from automl.errors import PluginError, UsageError
from automl.plugin_files import VARIABLE, PluginFile, named_in

HOME = "automl.testing.problems"
SOURCE = '''"""A strategy in a file."""

from automl import Proposal, Strategy, component


@component("from_a_file", summary="From a file.")
class FromAFile(Strategy):
    """Sample, and say so."""

    def ask(self, rng, pending):
        return Proposal(self.problem.space.sample(rng), note={"operator": "file"})

    def tell(self, trial):
        pass
'''
EVALUATOR = '''

from automl import Evaluator, Metric


@component("process_number", summary="Number of the process.")
class ProcessNumber(Evaluator):
    """Say which process it runs in."""

    def metrics(self, task):
        return (Metric("pid", "max", is_measured=True),)

    def evaluate(self, candidate, context):
        import os

        return {"pid": float(os.getpid())}
'''
TINY = ("--space", f"{HOME}:FlatSpace", "--task", f"{HOME}:TinyTask", "--evaluator", f"{HOME}:Landscape")
MANNER = ("--devices", "cpu", "--no-mlflow", "--quiet", "--trials", "4", "--study", "a")


@pytest.fixture
def run(tmp_path):
    """Return a function that runs `automl` in a process of its own and a folder of the test's."""

    def automl(*words: str, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, sys.path))
        known = {key: value for key, value in os.environ.items() if not key.startswith("AUTOML_")}
        variables = {**known, "PYTHONPATH": path, "COLUMNS": "300", "AUTOML_STORAGE": str(tmp_path / "s.db")}
        command = [sys.executable, "-m", "automl", *words]
        return subprocess.run(command, capture_output=True, text=True, env=variables, cwd=cwd, timeout=240)

    return automl


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_method.py"
    path.write_text(SOURCE)
    return path


def test_a_file_is_listed_and_described_under_its_name_and_hash(run, file):
    shown = run("list", "strategies", "--plugin", "./my_method.py").stdout
    digest = PluginFile.at(file).digest
    assert f"my_method.py {digest}" in shown
    assert "from_a_file" in shown
    assert "from_a_file" not in run("list", "strategies").stdout
    described = run("describe", "from_a_file", "--plugin", str(file)).stdout
    assert "Sample, and say so." in described
    assert "my_method:FromAFile" in described


@pytest.mark.slow
def test_a_study_with_a_file_is_resumed_from_another_folder_until_the_file_changes(run, file, tmp_path):
    begun = run("search", *TINY, *MANNER, "--strategy", "from_a_file", "--plugin", "./my_method.py")
    assert begun.returncode == 0, begun.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    on = run("resume", "a", "--trials", "6", "--quiet", cwd=elsewhere)
    assert (on.returncode, on.stderr) == (0, "")
    file.write_text(SOURCE + "\n# changed\n")
    refused = run("resume", "a", "--trials", "8", "--quiet")
    assert refused.returncode == 4
    assert refused.stderr.startswith(f"error: the plugin file {file} has changed since study 'a' began")
    assert refused.stderr.count("\n") == 1
    anyway = run("resume", "a", "--trials", "8", "--quiet", "--plugin", str(file))
    assert anyway.returncode == 0
    assert "warning: strategy from_a_file was version" in anyway.stderr
    file.unlink()
    missing = run("resume", "a", "--trials", "10", "--quiet")
    assert missing.returncode == 4
    assert f"needs the plugin file {file}, which is missing" in missing.stderr
    assert missing.stderr.count("\n") == 1
    shown = run("show", "a")
    assert shown.returncode == 0
    assert f"warning: study a needs the plugin file {file}: there is no such file" in shown.stderr


def test_worker_processes_find_the_file(run, file):
    file.write_text(SOURCE + EVALUATOR)
    words = ("--strategy", "from_a_file", "--evaluator", "process_number", "--plugin", str(file), "--workers", "2")
    begun = run("search", *TINY[:4], *MANNER, *words, "--json")
    assert begun.returncode == 0, begun.stderr
    assert '"completed": 4' in begun.stdout


@pytest.mark.parametrize(
    ("name", "source", "said"),
    [
        ("missing.py", None, "there is no such file; write its path"),
        ("folder", "", "it is a folder; name one Python file"),
        ("my-method.py", SOURCE, "call it by a Python name"),
        ("method.txt", SOURCE, "call it by a Python name"),
    ],
)
def test_a_path_that_is_no_module_is_refused(name, source, said, tmp_path):
    path = tmp_path / name
    if source:
        path.write_text(source)
    elif source == "":
        path.mkdir()
    with pytest.raises(UsageError, match=said):
        PluginFile.at(path)


def test_a_file_with_the_name_of_another_module_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "random.py").write_text(SOURCE)
    with pytest.raises(PluginError, match=r"cannot be imported as 'random'.*rename the file"):
        PluginFile.at(tmp_path / "random.py").load()


def test_mistakes_on_the_command_line_are_one_line_with_a_code(run, tmp_path):
    assert run("list", "--plugin", "nothing.py").returncode == 2
    (tmp_path / "broken.py").write_text("x = 1\nimport a_module_that_is_not_there\n")
    broken = run("list", "--plugin", "./broken.py")
    assert broken.returncode == 4
    assert broken.stderr == (
        "error: --plugin broken.py, line 2: ModuleNotFoundError: No module named 'a_module_that_is_not_there'\n"
    )


def test_files_are_announced_to_child_processes_once(file):
    environment = {}
    for _ in range(2):
        PluginFile.at(file).announce(environment)
    assert named_in(environment) == [file]
    assert environment == {VARIABLE: str(file)}
