"""Ctrl-C in the middle of each command that takes its time: its exit code, one line that says how to go on, no loss.

As a terminal does it, the signal goes to the whole process group, the children that a command has started included.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from automl import load_study
from automl.cli import INTERRUPTED

TINY = (
    *("--space", "tiny_components:TinySpace", "--strategy", "random_search", "--task", "tiny_components:TinyTask"),
    *("--evaluator", "tiny_components:Score", "--devices", "cpu", "--no-mlflow"),
)
SLOW = ("--set", "tiny_components:Score.pause=0.02")
FILE = """
space = "tiny_components:TinySpace"
strategy = "random_search"
task = "tiny_components:TinyTask"
evaluators = ["tiny_components:Score"]
trackers = []
"""
SLEEPER = """
import time
from automl import Strategy, hookimpl

class Sleeper(Strategy):
    \"\"\"Sleeps.\"\"\"

    def __init__(self, *_):
        open("MARK", "w").close()
        time.sleep(600)

    def ask(self, rng, pending):
        \"\"\"Propose nothing.\"\"\"

    def tell(self, trial):
        \"\"\"Forget.\"\"\"

@hookimpl
def register_strategies(register):
    register("sleeper", "sleeper:Sleeper", summary="Sleeps.")
"""


def begin(environment: dict[str, str], *words: object) -> subprocess.Popen[str]:
    """Start the command line in a process group of its own.

    A terminal's programs hear SIGINT; those that a script starts in the background inherit that it is ignored.
    """
    command = [sys.executable, "-m", "automl", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command,
        env=environment,
        stdout=pipe,
        stderr=pipe,
        text=True,
        start_new_session=True,
        preexec_fn=hear_interrupts,
    )


def hear_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    """Read stderr up to a line with ``word``."""
    assert process.stderr is not None
    said = [process.stderr.readline()]
    while said[-1] and word not in said[-1]:
        said.append(process.stderr.readline())
    assert said[-1], said
    return "".join(said)


def interrupt(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Send the group SIGINT, and return what was still written to stdout and stderr."""
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in out + err
    return out, err


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def suggested(err: str) -> list[str]:
    """Return the arguments of the one command that was suggested."""
    lines = [line for line in err.splitlines() if line.startswith("interrupted; continue with: ")]
    assert len(lines) == 1, err
    words = shlex.split(lines[0].removeprefix("interrupted; continue with: "))
    return words[words.index("automl") + 1 :]


def told(name: str, storage: str = "automl.db") -> dict[int, Any]:
    study = load_study(name, storage=storage)
    found = {trial.number: dict(trial.metrics) for trial in study.trials if trial.state.value == "completed"}
    study.store.close()
    return found


@pytest.mark.parametrize(
    "words",
    [
        ("search", *TINY, *SLOW, "--study", "long", "--trials", "400", "--workers", "2"),
        pytest.param(
            ("run", "study.toml", *SLOW, "--study", "long", "--trials", "400", "--devices", "cpu"),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["search with two workers", "run"],
)
def test_study_goes_on_with_the_suggested_command_and_loses_no_trial(words, process_environment, automl):
    Path("study.toml").write_text(FILE)
    process = begin(process_environment, *words)
    wait_for(process, "starts")
    _, err = interrupt(process)
    before = told("long")
    go_on = suggested(err)
    assert go_on[:2] == ["resume", "long"]
    resumed = begin(process_environment, *go_on)
    wait_for(resumed, "long")
    _, err = interrupt(resumed)
    assert suggested(err) == go_on
    after = told("long")
    assert before.items() <= after.items()
    assert automl(*go_on, "--trials", len(after) + 2, "--quiet").code == 0
    assert after.items() <= told("long").items()


def test_replay_goes_on_with_the_suggested_command(process_environment, automl):
    automl("search", *TINY, *SLOW, "--study", "a", "--trials", "30", "--quiet")
    assert automl("bundle", "a", "-o", "a.zip").code == 0
    process = begin(process_environment, "replay", "a.zip")
    wait_for(process, "starts")
    out, err = interrupt(process)
    assert out == ""
    ended = automl(*suggested(err), "--quiet")
    assert ended.code == 0, ended.err


def test_check_of_a_plugin_stops_with_its_child(process_environment):
    Path("sleeper.py").write_text(SLEEPER.replace("MARK", str(Path("asleep").absolute())))
    process = begin(process_environment, "plugin", "check", "./sleeper.py")
    wait_for(process, "checking strategy sleeper")
    until = time.monotonic() + 60
    while not Path("asleep").exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    assert Path("asleep").exists()
    _, err = interrupt(process)
    assert err.splitlines()[-1] == INTERRUPTED
    assert not [one for one in psutil.process_iter() if is_alive(one) and os.getpgid(one.pid) == process.pid]


@pytest.mark.parametrize("command", ["bundle", "report"])
def test_file_that_is_not_finished_does_not_take_the_place_of_the_old(command, automl, monkeypatch):
    automl("search", *TINY, "--study", "a", "--trials", "3", "--quiet")
    assert automl(command, "a", "-o", "made").code == 0
    made = Path("made").read_bytes()

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    ran = automl(command, "a", "-o", "made", *(["--force"] if command == "report" else []))
    assert (ran.code, ran.err) == (130, f"{INTERRUPTED}\n")
    assert Path("made").read_bytes() == made
    assert not [path for path in Path.cwd().iterdir() if path.name.endswith((".tmp", ".partial"))]
