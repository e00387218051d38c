"""The data folder, and which tables and data sets are in it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from automl.data import DataSource, data_folder
from automl.doctor.finding import Finding
from automl.plugins import isolated, registry


def data(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Return a finding on the data folder and one for each source. Checksums are not compared; that takes long."""
    folder, is_set = data_folder(), bool(environment.get("AUTOML_DATA_DIR"))
    whose = "AUTOML_DATA_DIR" if is_set else "the default; AUTOML_DATA_DIR names another"
    if folder.is_dir():
        found = [Finding("data", "ok", f"{folder} ({whose})")]
    elif is_set:
        advice = "make the folder, or let AUTOML_DATA_DIR name the one that has your data"
        found = [Finding("data", "warn", f"{folder} ({whose}) does not exist", advice)]
    else:
        found = [Finding("data", "ok", f"{folder} ({whose}) does not exist; only benchmark tables need it")]
    return found + [_source(name) for name in registry().names("data")]


def _source(name: str) -> Finding:
    def look() -> tuple[int, int]:
        source: DataSource = registry().load("data", name)()
        states = [status.state for status in source.status(verify=False)]
        return sum(state != "missing" for state in states), len(states)

    counted = isolated(look)
    if isinstance(counted, Exception):
        return Finding("data", "warn", f"{name}: {counted}", "see `automl data status`")
    there, files = counted
    if there == files:
        return Finding("data", "ok", f"{name}: all {files} files (checksums: `automl data status`)")
    if not there:
        return Finding("data", "ok", f"{name}: not there (optional)", "`automl data status` says how to get it")
    return Finding("data", "warn", f"{name}: {there} of {files} files", "`automl data status` says what is missing")
