"""A place where plugins of one file can be loaded and forgotten."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from automl.plugin_files import VARIABLE
from automl.plugins import registry


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Path]]:
    """Return a function that writes a file; whatever is loaded during the test is forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(VARIABLE, "")
    before = set(sys.modules)
    registry.cache_clear()

    def put(source: str, name: str = "flawed.py") -> Path:
        path = tmp_path / name
        path.write_text(source, encoding="utf-8")
        return path

    yield put
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
    registry.cache_clear()
