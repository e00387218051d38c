"""Where results come from: versions, machine and data of a study, and how to make it again."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import Any

from automl.report.page import Block, Code, Facts, Folded, Grid, Section, Text
from automl.report.subject import Subject
from automl.storage.records import StudyRecord


def origin_section(subject: Subject, file: str) -> Section:
    """Return versions, data and the study file; ``file`` is its text."""
    record = subject.record
    name = f"{subject.name}.toml"
    again = f"automl run {shlex.quote(name)} --study {shlex.quote(subject.name + '-again')}"
    return Section(
        "reproduce",
        "How to reproduce it",
        [
            Text(
                f"Save this as `{name}` and run the command. The same versions, data and seed propose the same "
                "architectures; figures that a clock or an accelerator makes may differ."
            ),
            Code(file),
            Code(again),
            *versions(record),
        ],
    )


def versions(record: StudyRecord) -> list[Block]:
    """Return what the study ran on, and with which versions."""
    environment = record.environment
    libraries = environment.get("libraries", {})
    known = ", ".join(f"{name} {version}" for name, version in libraries.items() if version)
    facts = [
        ("begun", time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created))),
        ("automl", str(environment.get("automl", "unknown"))),
        ("Python", str(environment.get("python", "unknown"))),
        ("machine", f"{environment.get('platform', 'unknown')}, {environment.get('cores', '?')} cores"),
        ("libraries", known or "unknown"),
    ]
    rows = [_component(name, found) for name, found in record.components.items()]
    grid = Grid(["component", "from", "version", "data"], rows)
    return [Facts(facts), Folded("Versions of the components, and digests of their data", [grid])]


def _component(name: str, found: Mapping[str, Any]) -> list[str]:
    return [name, str(found.get("distribution", "")), str(found.get("version", "")), str(found.get("digest", ""))[:16]]
