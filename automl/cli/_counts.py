"""How many trials did what, in words, and what of a study's budget is spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from automl.cli._output import plural, seconds
from automl.endings import first_line
from automl.endings import rejections as rejections
from automl.storage.records import TrialRecord
from automl.study import Study, StudyState

_ERRORS = 2
_REASONS = 4


def count_text(study: Study) -> str:
    """Return the trials by state: ``40 completed, 23 repeats``; empty if there are none.

    Of rejected ones it says in which stage: ``12 rejected (screening 8, stability 4)``.
    """
    counts = study.store.counts(study.record.id)
    states = ("completed", "failed", "rejected", "pruned", "running")
    where = {"rejected": _stages_text(rejections(study))} if counts["rejected"] else {}
    parts = [f"{counts[state]} {state}{where.get(state, '')}" for state in states if counts[state]]
    known = counts["duplicates"] - counts["repeats"]
    if known:
        whose = "an earlier study" if known == 1 else "earlier studies"
        parts.append(f"{known} of them answered by {whose} of this store")
    repeats = [plural(counts["repeats"], "repeat")] if counts["repeats"] else []
    return ("; " if known else ", ").join(filter(None, [", ".join(parts), *repeats]))


def rejections_text(study: Study) -> list[str]:
    """Return a line per stage that rejected something: ``screening 8: its output is constant 5x, ...``."""
    lines = []
    for stage, reasons in rejections(study).items():
        shown = [f"{reason} ({count}x)" for reason, count in reasons.most_common(_REASONS)]
        more = len(reasons) - len(shown)
        others = [f"and {plural(more, 'other reason')}"] if more else []
        lines.append(f"{stage} {reasons.total()}: {'; '.join([*shown, *others])}")
    return lines


def _stages_text(found: Mapping[str, Counter[str]]) -> str:
    return f" ({', '.join(f'{stage} {reasons.total()}' for stage, reasons in found.items())})" if found else ""


def nothing_feasible(study: Study) -> str:
    """Return why a study has no best architecture: what failed and how, and the constraints if there are any."""
    records = [record for record in study.records if record.duplicate_of is None]
    failed = [record for record in records if record.state == "failed"]
    parts = []
    if failed:
        parts.append(_failures(failed))
    if rejected := rejections(study):
        parts.append(f"{sum(map(Counter.total, rejected.values()))} rejected{_stages_text(rejected)}")
    if study.goal.constraints and len(failed) < len(records):
        parts.append(f"no trial completed within the constraints ({', '.join(map(str, study.goal.constraints))})")
    return f"nothing feasible: {', '.join(parts) or 'no trial completed'}"


def mostly_failed(study: Study) -> str | None:
    """Return how the trials failed, if more than half of them did; ``None`` otherwise."""
    records = [record for record in study.records if record.duplicate_of is None]
    failed = [record for record in records if record.state == "failed"]
    return _failures(failed) if 2 * len(failed) > len(records) else None


def unmeasured(study: Study) -> list[str]:
    """Return a line for each metric that trials lack though they completed, with the commonest reason."""
    records = [record for record in study.records if record.duplicate_of is None and record.state == "completed"]
    reasons: dict[str, Counter[str]] = {}
    remarks = [(r, *remark) for r in records for remark in r.remarks.items()]
    for name, reason in ((name, reason) for record, name, reason in remarks if name not in record.metrics):
        reasons.setdefault(name, Counter())[first_line(reason)] += 1
    return [
        f"{name} was not measured in {found.total()} of {plural(len(records), 'completed trial')} "
        f"({found.most_common(1)[0][0]})"
        for name, found in reasons.items()
    ]


def _failures(failed: Sequence[TrialRecord]) -> str:
    errors = Counter(first_line(record.error) for record in failed).most_common()
    shown = [f"{count}x: {error}" for error, count in errors[:_ERRORS]]
    more = len(errors) - len(shown)
    others = [f"and {plural(more, 'other error')}"] if more else []
    return f"{len(failed)} failed ({'; '.join([*shown, *others])})"


def is_spent(study: Study, *, trials: int | None = None, time: float | None = None) -> bool:
    """Return whether ``study`` is complete and its budget spent, with ``trials`` and ``time`` in place of its own."""
    record = study.record
    of_trials, of_time = trials or record.trials_budget, time or record.time_budget
    has_trials = of_trials is None or study.spent < of_trials
    has_time = of_time is None or record.elapsed < of_time
    return study.state is StudyState.COMPLETED and not (has_trials and has_time)


def budget_text(study: Study) -> str:
    """Return what is spent of the budget: ``30 of 30 trials, 1 min 12 s of 5 min 00 s``."""
    record = study.record
    parts = [f"{study.spent} of {plural(record.trials_budget, 'trial')}" if record.trials_budget else ""]
    parts.append(f"{seconds(record.elapsed)} of {seconds(record.time_budget)}" if record.time_budget else "")
    return ", ".join(filter(None, parts)) or plural(study.spent, "trial")


def larger_budget(study: Study) -> str:
    """Return the flags that double what is spent of the budget."""
    record = study.record
    flags = []
    if record.trials_budget is not None and study.spent >= record.trials_budget:
        flags.append(f"--trials {2 * record.trials_budget}")
    if record.time_budget is not None and record.elapsed >= record.time_budget:
        doubled = 2 * max(record.time_budget, record.elapsed)
        flags.append(f"--time {doubled:.0f}s" if doubled >= 100 else f"--time {doubled:.3g}s")
    return " ".join(flags)
