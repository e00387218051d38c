"""Why trials have no result: rejections and failures, counted by stage and reason."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from automl.storage.records import TrialRecord
from automl.study import Study

CONSTRAINTS = "constraints"
"""Stage under which violated constraints are counted."""

_ERROR_WIDTH = 120
_SAME = re.compile(r"(same \S+) as trial \d+")
_RULE = re.compile(r"(\S+ [<>=!]+ \S+) \((.*)\)")
_VALUE = re.compile(r"\S+ = \S+")
_BEST = re.compile(r"(?:is not among the best|only the best) ([\d.e+-]+) %")


def rejections(study: Study) -> dict[str, Counter[str]]:
    """Return the reasons of rejections and how often each came up, by stage, in the order of the cascade.

    Reasons that differ in the numbers that were found, or in the trial that was repeated, are one. Repeats do not
    count. A violated constraint belongs to no stage; it is under ``constraints``.
    """
    return rejections_of(study.records, [spec.name for spec in study.definition.evaluators])


def rejections_of(records: Iterable[TrialRecord], stages: Sequence[str]) -> dict[str, Counter[str]]:
    """Return what `rejections` does, of trials in memory and the names of the stages in their order."""
    found: dict[str, Counter[str]] = {stage: Counter() for stage in [*stages, CONSTRAINTS]}
    for record in records:
        if record.state == "rejected" and record.duplicate_of is None:
            error = record.error or "no reason was recorded"
            stage = next((name for name in stages if error.startswith(f"{name}: ")), CONSTRAINTS)
            found[stage][_kind_of(error.removeprefix(f"{stage}: "))] += 1
    return {stage: reasons for stage, reasons in found.items() if reasons}


def first_line(error: str | None) -> str:
    """Return the first line of an error, cut short."""
    first = (error or "no error was recorded").splitlines()[0]
    return first if len(first) <= _ERROR_WIDTH else first[: _ERROR_WIDTH - 1] + "…"


def _kind_of(reason: str) -> str:
    """Return a reason without what differs from candidate to candidate, so that equal ones can be counted.

    ``is_sound < 1 (its output is constant)`` is ``its output is constant``; of numbers the rule is left.
    """
    same = _SAME.fullmatch(reason)
    if same:
        return f"{same[1]} as an earlier trial"
    rule = _RULE.fullmatch(reason)
    if rule:
        return first_line(rule[1] if _VALUE.fullmatch(rule[2]) else re.sub(r"\b\d+ steps", "some steps", rule[2]))
    best = _BEST.search(reason)
    return first_line(f"not among the best {best[1]} %" if best else reason)
