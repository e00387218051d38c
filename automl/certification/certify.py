"""Checking a component: its source first, then its conformance suite, in a process of its own.

A component under test may crash, hang or fill the memory, so its suite runs in another process, in an empty folder, and
every result is written down at once. What the process was doing when it ended is then a mistake like another.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from automl.certification.rules import remedy
from automl.certification.source import Mistake, is_runnable, mistakes_of_source
from automl.errors import ConfigurationError
from automl.options import OptionError, parse_options
from automl.plugin_files import VARIABLE
from automl.plugins import Kind, Registration, load_target, registry

TIMEOUT = 900.0
"""Seconds that the suite of one component may take."""
WITH_SUITE: tuple[Kind, ...] = (
    "space",
    "strategy",
    "evaluator",
    "proxy",
    "aggregator",
    "task",
    "executor",
    "tracker",
    "exporter",
)
"""Kinds of components that have a conformance suite; others are only read."""
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Certificate:
    """What was found of a component: mistakes, and how many tests of its suite passed or said nothing of it."""

    registration: Registration
    mistakes: tuple[Mistake, ...]
    passed: int = 0
    skipped: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.mistakes

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        mistakes = [{name: getattr(one, name) for name in Mistake.__slots__} for one in self.mistakes]
        own = self.registration
        return {
            "kind": own.kind,
            "name": own.name,
            "plugin": own.plugin,
            "distribution": own.distribution,
            "version": own.version,
            "mistakes": [{**one, "tests": list(one["tests"])} for one in mistakes],
            "passed": self.passed,
            "skipped": self.skipped,
        }


def certify(registration: Registration, options: Mapping[str, Any], *, timeout: float = TIMEOUT) -> Certificate:
    """Check one component with these options.

    Raises:
        ConfigurationError: pytest, which the suites need, is not installed; or an option is unknown.
    """
    mistakes = mistakes_of_source(registration)
    component = None if any(each.mistake in _FATAL for each in mistakes) else load_target(registration.target)
    if component is None or not is_runnable(component, registration.kind):
        return Certificate(registration, tuple(mistakes))
    try:
        parse_options(component, registration.name, options)
    except OptionError as error:
        if options:
            raise
        mend = f"Give every option a default, or check it with --set {registration.name}.OPTION=VALUE."
        mistakes.append(Mistake("it has no default options", "A component works as it is named.", str(error), mend))
        return Certificate(registration, tuple(mistakes))
    if registration.kind not in WITH_SUITE:
        return Certificate(registration, tuple(mistakes))
    lines = _suite_lines(registration, options, timeout)
    counts = {state: sum(line["state"] == state for line in lines) for state in ("passed", "skipped")}
    found = (*mistakes, *_mistakes_of(registration.kind, lines))
    return Certificate(registration, found, counts["passed"], counts["skipped"])


_FATAL = ("its class cannot be imported", "it has the wrong base class")


def _suite_lines(registration: Registration, options: Mapping[str, Any], timeout: float) -> list[dict[str, Any]]:
    """Run the suite in another process and return what was written down."""
    if importlib.util.find_spec("pytest") is None:
        raise ConfigurationError("the conformance suites need pytest; run `pip install 'automl-engine[testing]'`")
    with tempfile.TemporaryDirectory(prefix="automl-check-") as name:
        folder = Path(name)
        (folder / "work").mkdir()
        is_direct = registration.plugin == "direct"
        target = registration.target if is_direct else registration.name
        spec = {"kind": registration.kind, "name": target, "options": dict(options)}
        (folder / "component.json").write_text(json.dumps(spec), encoding="utf-8")
        ended = _run(folder, timeout)
        path = folder / "results.jsonl"
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    return lines + _unfinished(lines, ended)


def _run(folder: Path, timeout: float) -> str:
    """Run pytest in ``folder`` and return how it ended, empty if it ended well."""
    path = os.pathsep.join(dict.fromkeys(str(Path(entry or ".").resolve()) for entry in sys.path))
    command = [sys.executable, "-m", "automl.certification.child", str(folder)]
    loaded = os.pathsep.join(str(file.path) for file in registry().files.values())
    environment = {**os.environ, "PYTHONPATH": path, "AUTOML_STRICT_PLUGINS": "0", VARIABLE: loaded}
    try:
        done = subprocess.run(
            command, cwd=folder / "work", env=environment, capture_output=True, text=True, timeout=timeout
        )
    except subprocess.TimeoutExpired:
        return f"it was stopped after {timeout:g} s"
    if done.returncode in (0, 1):
        return ""
    said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
    died = f"the process died (exit code {done.returncode})"
    return f"{died}: {said[-1].strip()}" if said else died


def _unfinished(lines: Sequence[Mapping[str, Any]], ended: str) -> list[dict[str, Any]]:
    """Return a failure for a process that did not end well, with the test at which it was."""
    if not ended:
        return []
    at = lines[-1]["test"] if lines and lines[-1]["state"] == "started" else ""
    return [{"state": "failed", "test": at, "rule": "", "error": "", "found": ended, "place": "", "is_rule": False}]


def _mistakes_of(kind: Kind, lines: Sequence[Mapping[str, Any]]) -> list[Mistake]:
    """Return the mistakes that failed tests tell of, each once; what the component raises is first, as the cause."""
    found: dict[str, Mistake] = {}
    for line in sorted((line for line in lines if line["state"] == "failed"), key=lambda line: bool(line["is_rule"])):
        one = _mistake_of(kind, line)
        earlier = found.get(one.mistake)
        if earlier is not None:
            one = replace(earlier, tests=(*earlier.tests, *one.tests))
        found[one.mistake] = one
    return list(found.values())


def _mistake_of(kind: Kind, line: Mapping[str, Any]) -> Mistake:
    tests, said = (line["test"],), _in_one_line(line["found"])
    if line["is_rule"]:
        known = remedy(kind, line["test"], line["found"], line["error"])
        return Mistake(known.mistake, line["rule"], said, known.mend, line["place"], tests)
    when = f" when {_sentence(line['test'])} is tried" if line["test"] else ""
    if not line["error"]:
        mend = "Nothing that a component does may end or block its process."
        return Mistake(f"its process does not survive{when}", line["rule"], said, mend, line["place"], tests)
    mend = "Mend the line that is named, or raise one of automl's errors where it is the user who can."
    text = f"{line['error']}: {said}" if said else line["error"]
    return Mistake(f"it raises {line['error']}{_at(line)}", line["rule"], text, mend, line["place"], tests)


def _at(line: Mapping[str, Any]) -> str:
    return f" ({line['place']})" if line["place"] else ""


def _in_one_line(text: str) -> str:
    """Return what an assertion or an exception says, in one line that is not too long."""
    lines = [part.strip() for part in text.splitlines() if part.strip()]
    said = lines[0] if lines and not lines[0].startswith("assert ") else " ".join(lines)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]} …"


def _sentence(test: str) -> str:
    """Return the name of a test as words.

    >>> _sentence("test_asking_changes_nothing[flat]")
    '"asking changes nothing"'
    """
    words = test.partition("[")[0].removeprefix("test_").replace("_", " ")
    return f'"{words}"'
