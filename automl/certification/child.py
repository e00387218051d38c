"""What runs in a process of its own: pytest on the suite of one component, every result written down at once.

    python -m automl.certification.child FOLDER

``FOLDER`` has a `component.json`; a line per test is appended to `results.jsonl`, so that a process that dies or hangs
leaves what it was doing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

RESULTS = "results.jsonl"
_LIBRARIES = ("_pytest", "pluggy", "torch", "numpy")
_PYTHON = str(Path(json.__file__).resolve().parents[1])
_OWN = str(Path(__file__).resolve().parents[1])
_MODULE = """
from pathlib import Path

from automl.certification.suites import suite_of_folder

TestComponent = suite_of_folder(Path(__file__).parent)
"""


class Recorder:
    """A pytest plugin that writes down what every test found."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **line: Any) -> None:
        """Append one line."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Say which test begins."""
        self.write(state="started", test=nodeid.rpartition("::")[2])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, Any]:
        """Say how it ended."""
        report: Any = yield
        name, where = item.name, report.when
        if report.failed and call.excinfo is not None:
            self.write(state="failed", test=name, rule=_rule(item), **_finding(call.excinfo))
        elif report.skipped and call.excinfo is not None:
            self.write(state="skipped", test=name, found=str(call.excinfo.value))
        elif where == "call":
            self.write(state="passed", test=name)
        return report

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be collected is a failure of the component."""
        if report.failed:
            text = str(report.longrepr).strip().splitlines()
            self.write(state="failed", test="", rule="", error="", found=text[-1], place="", is_rule=False)


def _rule(item: pytest.Item) -> str:
    document = getattr(getattr(item, "function", None), "__doc__", None) or ""
    return " ".join(document.replace("``", "`").split())


def _finding(info: pytest.ExceptionInfo[BaseException]) -> dict[str, Any]:
    """Return the exception in words, the last line of foreign code that it came from, and who raised it."""
    frames = [(str(entry.path), entry.lineno + 1) for entry in info.traceback]
    foreign = [place for place in frames if not place[0].startswith(_OWN) and not _is_library(place[0])]
    outside = [place for place in frames if not _is_library(place[0])]
    is_rule = not outside or outside[-1][0].startswith(_OWN)
    place = f"{Path(foreign[-1][0]).name}, line {foreign[-1][1]}" if foreign else ""
    return {
        "error": type(info.value).__name__,
        "found": str(info.value),
        "place": place,
        "is_rule": is_rule,
    }


def _is_library(path: str) -> bool:
    """Whether a frame is of an installed library, of pytest or of Python, and says nothing about the component."""
    parts = Path(path).parts
    if path.startswith("<") or any(part in _LIBRARIES for part in parts):
        return True
    return path.startswith(_PYTHON) and "site-packages" not in parts


def main(folder: Path) -> int:
    """Run the suite and return pytest's exit code."""
    (folder / "test_component.py").write_text(_MODULE, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    arguments = [str(folder / "test_component.py"), "-c", str(folder / "pytest.ini"), "--rootdir", str(folder)]
    arguments += [
        "-q",
        "-p",
        "no:cacheprovider",
        "--tb=no",
        "--import-mode=importlib",
        "--basetemp",
        str(folder / "tmp"),
    ]
    return int(pytest.main(arguments, plugins=[Recorder(folder / RESULTS)]))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
