"""The command line in this process (`automl`) and in one of its own (`automl_process`)."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from automl.cli import main

HERE = Path(__file__).resolve().parent
TINY = (
    *("--space", "tiny_components:TinySpace", "--strategy", "random_search", "--task", "tiny_components:TinyTask"),
    *("--evaluator", "tiny_components:Score", "--devices", "cpu", "--no-mlflow"),
)


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


Automl = Callable[..., Ran]


@pytest.fixture(autouse=True)
def _work_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, with the tiny components at hand and the logger as it was."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(HERE))
    for name in ("AUTOML_STORAGE", "AUTOML_LOAD_PLUGINS", "AUTOML_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    log = logging.getLogger("automl")
    handlers, level = list(log.handlers), log.level
    yield
    log.handlers[:], log.level = handlers, level


@pytest.fixture
def automl(capsys: pytest.CaptureFixture[str]) -> Automl:
    """Return a function that runs the command line in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return Ran(code, streams.out, streams.err)

    return run


@pytest.fixture
def tiny(automl: Automl) -> Automl:
    """Return a function that runs a small search with tiny components."""

    def search(*arguments: object) -> Ran:
        return automl("search", *TINY, *arguments)

    return search


@pytest.fixture
def process_environment() -> dict[str, str]:
    """The environment in which another Python finds what this one finds."""
    path = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    return {**os.environ, "PYTHONPATH": path}


@pytest.fixture
def automl_process(process_environment: dict[str, str]) -> Automl:
    """Return a function that runs the command line in a process of its own, all its streams pipes."""

    def run(*arguments: object) -> Ran:
        command = [sys.executable, "-m", "automl", *map(str, arguments)]
        ended = subprocess.run(command, env=process_environment, capture_output=True, text=True, timeout=120)
        return Ran(ended.returncode, ended.stdout, ended.stderr)

    return run
