"""Trade-offs: the Pareto front of a study with several objectives, each pair of them drawn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import partial

from automl.canvas import ImageFormat
from automl.hypervolume import hypervolume
from automl.objectives import Objective
from automl.report.page import Block, Grid, Plot, Section, Text, Width
from automl.report.pictures import draw_front
from automl.report.subject import Subject
from automl.trial import Trial
from automl.words import number, plural

_PAIRS = 3
_ROWS = 30


def front_section(subject: Subject) -> Section | None:
    """Return the Pareto front; ``None`` for a study of one objective."""
    objectives, front = subject.goal.objectives, subject.best
    if len(objectives) < 2:
        return None
    if not front:
        return Section("front", "Pareto front", [Text("No trial completed within the constraints.", is_note=True)])
    volume = volume_of(subject)
    blocks: list[Block] = [
        Text(
            f"{plural(len(front), 'architecture')} {'is' if len(front) == 1 else 'are'} on the front: none that was "
            "found is better in one objective and not worse in another."
            + ("" if volume is None else f" Hypervolume: {number(volume)}, within {_reference(subject)}.")
        )
    ]
    for first, second in list(itertools.combinations(objectives, 2))[:_PAIRS]:
        blocks.append(_plot(subject, second, first))
    metrics = [objective.metric for objective in objectives]
    rows = [
        [
            str(trial.number),
            *(number(trial.metrics.get(metric)) for metric in metrics),
            subject.title(trial.architecture),
        ]
        for trial in front[:_ROWS]
    ]
    caption = f"The first {_ROWS} of {len(front)}, by {metrics[0]}" if len(front) > _ROWS else ""
    blocks.append(Grid(["trial", *metrics, "architecture"], rows, ["trial", *metrics], caption))
    return Section("front", "Pareto front", blocks)


def volume_of(subject: Subject) -> float | None:
    """Return the hypervolume of what was found; ``None`` where the study declares no reference point."""
    goal = subject.goal
    if not goal.reference:
        return None
    return hypervolume([trial.losses for trial in subject.trials if trial.is_feasible], goal.worst_losses)


def _plot(subject: Subject, x: Objective, y: Objective) -> Plot:
    def point(trial: Trial) -> tuple[float, float]:
        return trial.metrics.get(x.metric, math.nan), trial.metrics.get(y.metric, math.nan)

    numbers = {trial.number for trial in subject.best}
    front = sorted((*point(trial), str(trial.number)) for trial in subject.best)
    others = [
        point(trial)
        for trial in subject.evaluations
        if trial.is_feasible and trial.number not in numbers and all(map(math.isfinite, point(trial)))
    ]
    names = f"{x.metric} ({_better(x)})", f"{y.metric} ({_better(y)})"
    ends = f"{x.metric} {number(front[0][0])} with {y.metric} {number(front[0][1])}"
    other = f"{x.metric} {number(front[-1][0])} with {y.metric} {number(front[-1][1])}"
    return Plot(
        f"pareto-{x.metric}-{y.metric}",
        f"Pareto front of {plural(len(front), 'trial')}, from {ends} to {other}",
        partial(_draw, front, others, names, x.direction == "min"),
        "The line is what the front has reached; every other completed trial is a grey dot",
        has_narrow=True,
    )


def _draw(
    front: Sequence[tuple[float, float, str]],
    others: Sequence[tuple[float, float]],
    names: tuple[str, str],
    is_less_better: bool,
    image_format: ImageFormat,
    width: Width,
) -> bytes:
    return draw_front(front, others, names, image_format, width, is_less_better=is_less_better)


def _better(objective: Objective) -> str:
    return "more is better" if objective.direction == "max" else "less is better"


def _reference(subject: Subject) -> str:
    named = zip(subject.goal.objectives, subject.goal.reference, strict=True)
    return ", ".join(f"{objective.metric} = {number(value)}" for objective, value in named)
