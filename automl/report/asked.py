"""What was searched, in plain words."""

from __future__ import annotations

from collections import Counter

from automl.definition import ComponentSpec
from automl.errors import ConfigurationError
from automl.plugins import Kind, registry
from automl.report.page import Facts, Section, Text
from automl.report.subject import Subject
from automl.words import number, plural, seconds

_OPTION = 60


def asked_section(subject: Subject) -> Section:
    """Return what the study searched, for what, and what came of its trials."""
    definition, goal = subject.definition, subject.goal
    evaluators = definition.evaluators
    stages = "; then ".join(spec_text(spec, "evaluator") for spec in evaluators)
    reference = [
        f"{objective.metric} = {number(value)}"
        for objective, value in zip(goal.objectives, goal.reference, strict=False)
    ]
    rows = [
        ("search space", spec_text(definition.space, "space")),
        ("strategy", spec_text(definition.strategy, "strategy")),
        ("task", spec_text(definition.task, "task")),
        ("evaluated by" if len(evaluators) == 1 else "evaluated by, in turn", stages),
        ("goal", goal_text(subject)),
        *([("only if", ", ".join(f"`{each}`" for each in goal.constraints))] if goal.constraints else []),
        *([("reference point", ", ".join(reference))] if reference else []),
        ("budget", budget_text(subject)),
        ("seed", seed_text(subject)),
        ("trials", counts_text(subject)),
    ]
    return Section("asked", "What was searched", [Text(_sentence(subject)), Facts(rows)])


def goal_text(subject: Subject) -> str:
    """Return the objectives in words."""
    words = {"max": "as much as possible of", "min": "as little as possible of"}
    return "; ".join(f"{words[each.direction]} `{each.metric}`" for each in subject.goal.objectives)


def counts_text(subject: Subject) -> str:
    """Return the trials by what became of them."""
    own = Counter(record.state for record in subject.records if record.duplicate_of is None)
    repeats = sum(record.duplicate_of is not None for record in subject.records)
    known = sum(record.is_cached for record in subject.records)
    parts = [
        f"{own[state]:,} {state}" for state in ("completed", "rejected", "failed", "pruned", "running") if own[state]
    ]
    parts += [f"{plural(repeats, 'repeat')} of the study's own"] if repeats else []
    parts += [f"{known:,} answered by other studies of the store"] if known else []
    return ", ".join(parts) or "none yet"


def budget_text(subject: Subject) -> str:
    """Return the budget and how much of it is spent."""
    record = subject.record
    parts = [f"{subject.study.spent:,} of {plural(record.trials_budget, 'trial')}"] if record.trials_budget else []
    spent = seconds(record.elapsed)
    parts.append(f"{spent} of {seconds(record.time_budget)}" if record.time_budget else f"{spent} of time")
    return ", ".join(parts)


def seed_text(subject: Subject) -> str:
    """Return the seed of the proposals, and which evaluations have."""
    how = {
        "shared": "every evaluation has the same one",
        "study": "evaluations have one of the study's",
        "trial": "every trial has one of its own",
    }
    definition = subject.definition
    return f"{definition.seed} for the proposals; {how[definition.evaluation_seeds]}"


def spec_text(spec: ComponentSpec, kind: Kind) -> str:
    """Return a component with its options and what it is."""
    chosen = ", ".join(f"{name} = {_short(value)}" for name, value in spec.options.items())
    try:
        summary = registry().find(kind, spec.name).summary
    except ConfigurationError:
        summary = "not installed here"
    named = f"`{spec.name}`" + (f" ({chosen})" if chosen else "")
    return f"{named}: {summary.rstrip('.')}" if summary else named


def _sentence(subject: Subject) -> str:
    """Return the study in a sentence or two."""
    definition, record = subject.definition, subject.record
    ended = {
        "completed": "It has ended",
        "exhausted": "It ended, since there was nothing new to propose",
        "running": "It is still running",
        "failed": "It failed",
        "interrupted": "It was interrupted",
        "created": "It has not begun",
    }[subject.study.state.value]
    reason = f" ({record.reason})" if record.reason else ""
    return (
        f"`{definition.strategy.name}` searched the space `{definition.space.name}` for {goal_text(subject)}"
        + (f", on `{definition.task.name}`" if definition.task.name != "none" else "")
        + f". {ended}{reason}."
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= _OPTION else f"{text[: _OPTION - 1]}…"
