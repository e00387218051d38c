"""Trials without a result: rejected and failed ones by stage and reason, and metrics that could not be measured."""

from __future__ import annotations

from collections import Counter

from automl.endings import first_line, rejections_of
from automl.report.page import Block, Grid, Section, Text
from automl.report.subject import Subject
from automl.words import plural

_REASONS = 12


def endings_section(subject: Subject) -> Section:
    """Return why trials have no result, counted; repeats are not."""
    rejected = _reasons(rejections_of(subject.records, [spec.name for spec in subject.definition.evaluators]))
    own = [record for record in subject.records if record.duplicate_of is None]
    failed = Counter(
        (record.error_kind or "error", first_line(record.error)) for record in own if record.state == "failed"
    )
    pruned = sum(record.state == "pruned" for record in own)
    blocks: list[Block] = []
    if rejected:
        total = sum(count for *_, count in rejected)
        what = f"{plural(total, 'trial')} of {len(own):,} did not pass a stage, or a constraint, and went no further."
        blocks += [Text(what), _grid("Rejected", "stage", rejected)]
    if failed:
        rows = [(kind, reason, count) for (kind, reason), count in failed.most_common()]
        blocks += [Text(f"{plural(failed.total(), 'trial')} failed."), _grid("Failed", "kind", rows)]
    if pruned:
        blocks.append(Text(f"{plural(pruned, 'trial')} stopped early."))
    unmeasured = Counter(
        (name, first_line(reason))
        for record in own
        if record.state == "completed"
        for name, reason in record.remarks.items()
        if name not in record.metrics
    )
    if unmeasured:
        rows = [(name, reason, count) for (name, reason), count in unmeasured.most_common()]
        blocks.append(_grid("Metrics that could not be measured", "metric", rows))
    return Section("endings", "Rejected and failed", blocks or [Text("No trial was rejected, and none failed.")])


def _reasons(found: dict[str, Counter[str]]) -> list[tuple[str, str, int]]:
    return [(stage, reason, count) for stage, reasons in found.items() for reason, count in reasons.most_common()]


def _grid(caption: str, first: str, rows: list[tuple[str, str, int]]) -> Grid:
    shown = [[where, why, f"{count:,}"] for where, why, count in rows[:_REASONS]]
    more = len(rows) - len(shown)
    caption += f" (the first {_REASONS} of {plural(len(rows), 'reason')})" if more else ""
    return Grid([first, "reason", "trials"], shown, ["trials"], caption)
