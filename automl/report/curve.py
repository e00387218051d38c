"""The best so far, beside that of random search: what the strategy added to the budget.

An evaluation is a full trial that repeats no other, unless the study counts repeats. A trial that failed or violates a
constraint counts, and has no value. With several objectives the curve is the hypervolume: within the study's reference
point, or else within the worst values that any of the drawn studies has seen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from automl.canvas import ImageFormat
from automl.comparison.curves import incumbents
from automl.comparison.definition import CONTROL
from automl.definition import StudyDefinition
from automl.hypervolume import hypervolumes
from automl.report.page import Block, Code, Grid, Plot, Section, Text, Width
from automl.report.pictures import Line, draw_lines
from automl.report.subject import Subject, objective_value
from automl.study import Study
from automl.words import number, plural

_PROBLEM = ("space", "task", "evaluators", "objectives", "constraints", "reference", "count_duplicates")


def same_problem(first: StudyDefinition, second: StudyDefinition) -> bool:
    """Say whether two studies sought the same in the same space, so that their curves may be compared."""
    return all(getattr(first, part) == getattr(second, part) for part in _PROBLEM)


def control_of(subject: Subject) -> Subject | None:
    """Return a study of random search on the same problem in the same store, ``None`` if there is none.

    One of the same seed is preferred, then one of a larger budget.
    """
    found = []
    for record in subject.study.store.studies():
        spec = record.definition.get("strategy", {})
        if spec.get("name") == CONTROL and record.name != subject.name:
            other = Subject(Study(subject.study.store, record.name))
            if same_problem(other.definition, subject.definition):
                found.append((other.definition.seed == subject.definition.seed, record.trials_budget or 0, other))
    best_first = sorted(found, key=lambda item: item[:2], reverse=True)
    return next((other for *_, other in best_first if other.evaluations), None)


def curve_section(subject: Subject, others: Sequence[Subject], to_run: str) -> Section:
    """Return the curves of a study and of those beside it.

    Args:
        subject: the study.
        others: studies on the same problem.
        to_run: the command that runs random search on it, for where there is none.
    """
    title = "Best so far"
    if not any(trial.is_feasible for trial in subject.evaluations):
        return Section("curve", title, [Text("No trial has a result yet, so there is no curve.", is_note=True)])
    control = None
    if not any(_is_control(each) for each in (subject, *others)):
        control = control_of(subject)
    drawn = [subject, *others, *([control] if control else [])]
    reference = worst_losses(drawn)
    lines = [Line(each.name, values_of(each, reference), each is not subject and _is_control(each)) for each in drawn]
    name, is_single = curve_name(subject), len(subject.goal.objectives) == 1
    dots = [objective_value(trial, name) for trial in subject.evaluations] if is_single else []
    alt = f"Best {name} so far: " + "; ".join(
        f"{line.label} ends at {number(line.values[-1])} after {len(line.values)} evaluations"
        for line in lines
        if line.values
    )
    caption = f"{name} of the best found after each evaluation" + ("; dots are single trials" if is_single else "")
    blocks: list[Block] = [
        Text(_finding(lines[0], name)),
        Plot(
            "best-so-far",
            alt,
            partial(_draw, [line for line in lines if line.values], dots, name),
            caption,
            has_narrow=True,
        ),
        *([_table(drawn, lines, name)] if len(drawn) > 1 else []),
    ]
    if not is_single and not subject.goal.reference:
        blocks.append(
            Text("The study declares no reference point; the worst values seen are taken for it.", is_note=True)
        )
    return Section("curve", title, [*blocks, *_about_control(drawn, control, to_run)])


def curve_name(subject: Subject) -> str:
    """Return what the curve shows: the objective, or the hypervolume."""
    objectives = subject.goal.objectives
    return objectives[0].metric if len(objectives) == 1 else "hypervolume"


def values_of(subject: Subject, reference: Sequence[float]) -> list[float]:
    """Return the best so far after each evaluation; NaN before the first success."""
    goal = subject.goal
    if len(goal.objectives) > 1:
        return hypervolumes((trial.losses if trial.is_feasible else None for trial in subject.evaluations), reference)
    objective = goal.objectives[0]
    values = [objective_value(trial, objective.metric) for trial in subject.evaluations]
    return [float(value) for value in incumbents(values, values, objective.direction)[0]]


def worst_losses(subjects: Sequence[Subject]) -> tuple[float, ...]:
    """Return the reference point of the first study as losses, or the worst that any of the studies has seen."""
    declared = subjects[0].goal.worst_losses
    if declared or len(subjects[0].goal.objectives) == 1:
        return declared
    seen = [trial.losses for each in subjects for trial in each.evaluations if trial.is_feasible]
    finite = [[loss for loss in column if math.isfinite(loss)] for column in zip(*seen, strict=True)]
    return tuple(max(column, default=0.0) for column in finite)


def _is_control(subject: Subject) -> bool:
    return subject.definition.strategy.name == CONTROL


def _draw(lines: Sequence[Line], dots: Sequence[float], metric: str, image_format: ImageFormat, width: Width) -> bytes:
    return draw_lines(lines, dots, metric, image_format, width)


def _finding(line: Line, name: str) -> str:
    own, last = line.values, line.values[-1]
    place = next(place for place, value in enumerate(own, 1) if value == last)
    return f"The best {name}, {number(last)}, was reached at evaluation {place:,} of {len(own):,}."


def _table(drawn: Sequence[Subject], lines: Sequence[Line], name: str) -> Grid:
    shortest = min(len(line.values) for line in lines)
    rows = [
        [
            each.name,
            each.definition.strategy.name,
            str(each.definition.seed),
            f"{len(line.values):,}",
            number(line.values[shortest - 1]) if shortest else "",
            number(line.values[-1]) if line.values else "",
        ]
        for each, line in zip(drawn, lines, strict=True)
    ]
    after = f"after {shortest:,}"
    columns = ["study", "strategy", "seed", "evaluations", after, f"{name} at the end"]
    return Grid(columns, rows, columns[2:])


def _about_control(drawn: Sequence[Subject], control: Subject | None, to_run: str) -> list[Block]:
    """Return what is to be said of random search."""
    if control is not None:
        return [
            Text(
                f"Random search is the study `{control.name}`, found in the same store: the same problem, seed "
                f"{control.definition.seed}, {plural(len(control.evaluations), 'evaluation')}. One seed of each says "
                "little; `automl compare` runs several and tests the difference.",
                is_note=True,
            )
        ]
    if any(_is_control(each) for each in drawn):
        what = "This study is random search itself." if _is_control(drawn[0]) and len(drawn) == 1 else ""
        return [Text(what, is_note=True)] if what else []
    return [
        Text(
            "There is no random search on this problem in the store, so it is not known what the budget alone is "
            "worth. Save the study file at the end of this chapter, run this, and make the report again:",
            is_note=True,
        ),
        Code(to_run),
    ]
