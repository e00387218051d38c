import subprocess
import sys
from pathlib import Path

import pytest

from automl.cli._program import command

LAUNCHER = Path(__file__).resolve().parents[2] / "cli.py"


@pytest.mark.parametrize(
    ("started", "typed"),
    [(".venv/bin/automl", ".venv/bin/automl"), ("cli.py", "python cli.py"), ("automl/__main__.py", "python -m automl")],
)
def test_commands_start_with_what_the_program_was_started_by(started, typed, tmp_path, monkeypatch):
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/automl").touch()
    monkeypatch.setattr(sys, "argv", [started])
    monkeypatch.setenv("PATH", "")
    assert command("studies", storage="automl.db") == f"{typed} studies"


def test_commands_start_with_automl_where_the_shell_finds_it(tmp_path, monkeypatch):
    (tmp_path / "automl").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert command("show", "a", storage="automl.db") == "automl show a"


def test_launcher_without_the_dependencies_says_in_one_line_what_to_do():
    if not LAUNCHER.exists():
        pytest.skip("the launcher is not in the wheel")
    ran = subprocess.run([sys.executable, "-I", "-S", str(LAUNCHER), "--help"], capture_output=True, text=True)
    assert (ran.returncode, len(ran.stderr.splitlines())) == (1, 1)
    assert "make setup" in ran.stderr
