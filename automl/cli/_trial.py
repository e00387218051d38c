"""Tables about one trial."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from automl.cli._output import moment, number, seconds, table
from automl.cli._report import titles
from automl.storage.records import TrialRecord
from automl.study import Study


def trial_tables(study: Study, record: TrialRecord) -> list[Table]:
    """Return what became of a trial, its metrics with the reason where one was not measured, and its decisions."""
    tables = [table(f"Trial {record.number} of {study.name}", ["", ""], _facts(study, record))]
    if metrics := _metrics(record):
        tables.append(table("Metrics", ["metric", "value", "remark"], metrics, right=["value"]))
    decisions = [[name, _text(value)] for name, value in record.architecture.items()]
    tables.append(table("Architecture", ["decision", "answer"], decisions))
    return tables


def _facts(study: Study, record: TrialRecord) -> list[list[str]]:
    spent = None if record.finished is None else record.finished - record.started
    facts = {
        "state": record.state + (f" ({record.error_kind})" if record.error_kind not in (None, record.state) else ""),
        "reason": record.error or "",
        "repeats": "" if record.duplicate_of is None else f"trial {record.duplicate_of}",
        "answered by": "another study" if record.is_cached else "",
        "had to reach": "; ".join(
            f"{stage}: {number(threshold['bound'])} (among {threshold['among']} before it)"
            for stage, threshold in record.thresholds.items()
            if "bound" in threshold
        ),
        "architecture": titles(study)(record.trial(study.goal)),
        "key": record.canonical_key,
        "fidelity": number(record.fidelity),
        "seed": str(record.seed),
        "note": ", ".join(f"{name} = {_text(value)}" for name, value in record.note.items()),
        "attempts": str(record.attempts),
        "started": moment(record.started),
        "time": seconds(spent),
    }
    return [[name, value] for name, value in facts.items() if value]


def _metrics(record: TrialRecord) -> list[list[str]]:
    rows = [[name, number(value), record.remarks.get(name, "")] for name, value in record.metrics.items()]
    return rows + [[name, "", text] for name, text in record.remarks.items() if name not in record.metrics]


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)
