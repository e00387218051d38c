"""The documents and examples lie in a checkout, not in the wheel: without them these tests are skipped."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The checkout's folder."""
    if not (ROOT / "docs" / "README.md").exists():
        pytest.skip("the documents are not here: they are tested in a checkout")
    return ROOT


@pytest.fixture(scope="session")
def documents(checkout: Path) -> dict[str, str]:
    """Text of README.md and of everything in docs/, by path."""
    paths = [checkout / "README.md", *sorted((checkout / "docs").rglob("*.md"))]
    return {str(path.relative_to(checkout)): path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="session")
def run() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs Python with ``arguments`` in ``folder``, on the packages under test."""

    def run_python(arguments: Sequence[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        # Where the packages are imported from here, made absolute; the folder itself comes first, as for `python -m`.
        path = os.pathsep.join([str(folder), *(str(Path(entry).resolve()) for entry in sys.path)])
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": path, **environment},
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run_python


@pytest.fixture(scope="session")
def fences() -> Callable[[str], list[tuple[str, str, str]]]:
    """Return a function that gives the fenced blocks of a document: file name (or ``""``), language, text."""
    pattern = re.compile(r"(?:^`([\w.]+\.\w+)`\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

    def find(text: str) -> list[tuple[str, str, str]]:
        return pattern.findall(text)

    return find
