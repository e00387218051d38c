"""The best architectures: their figures, what they are, and their drawings, the same as in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from automl.canvas import ImageFormat
from automl.drawing import draw
from automl.report.page import Block, Folded, Grid, Plot, Section, Text, Width
from automl.report.subject import Subject
from automl.trial import Trial
from automl.words import number

if TYPE_CHECKING:
    import networkx as nx

_METRICS = 6
_LONG = 14
_OPEN = 3
_TITLE = 200


def best_section(subject: Subject, count: int) -> Section:
    """Return the ``count`` best architectures with their drawings."""
    trials = subject.top(count)
    if not trials:
        return Section("best", "Best architectures", [Text("No trial completed within the constraints.", is_note=True)])
    has_front = len(subject.goal.objectives) > 1
    front = {trial.number for trial in subject.best} if has_front else set()
    metrics = _metrics(subject, trials)
    rows = [
        [
            str(rank),
            str(trial.number),
            *([("front" if trial.number in front else "dominated")] if has_front else []),
            *(number(trial.metrics.get(name)) for name in metrics),
            subject.title(trial.architecture),
        ]
        for rank, trial in enumerate(trials, 1)
    ]
    columns = ["rank", "trial", *(["Pareto"] if has_front else []), *metrics, "architecture"]
    grid = Grid(columns, rows, ["rank", "trial", *metrics])
    drawings = [found for rank, trial in enumerate(trials, 1) if (found := _drawing(subject, rank, trial))]
    blocks: list[Block] = [grid, *drawings[:_OPEN]]
    if len(drawings) > _OPEN:
        blocks.append(Folded(f"{len(drawings) - _OPEN} more drawings", drawings[_OPEN:]))
    if not drawings:
        space = subject.definition.space.name
        blocks.append(Text(f"The space `{space}` is not installed here, so there are no drawings.", is_note=True))
    return Section("best", "Best architectures", blocks)


def _metrics(subject: Subject, trials: Sequence[Trial]) -> list[str]:
    """Return the metrics worth a column: those of the goal, then others whose numbers are short (hashes are not)."""
    goal = subject.goal
    named = [objective.metric for objective in goal.objectives] + [limit.metric for limit in goal.constraints]
    found = [(name, value) for trial in trials for name, value in trial.metrics.items()]
    long = {name for name, value in found if len(number(value)) > _LONG}
    known = [name for name, _ in found if name not in long]
    return list(dict.fromkeys([*(name for name in named if name in dict(found)), *known]))[:_METRICS]


def _drawing(subject: Subject, rank: int, trial: Trial) -> Plot | None:
    graph = subject.graph(trial.architecture)
    if graph is None:
        return None
    title = subject.title(trial.architecture)
    return Plot(
        f"architecture-{rank}-trial-{trial.number}",
        f"Drawing of trial {trial.number}: {title}",
        partial(_draw, graph, _short(title)),
        f"{rank}. Trial {trial.number}: {_figures(subject, trial)}",
        is_paper=True,
    )


def _draw(graph: nx.DiGraph[Any], title: str, image_format: ImageFormat, width: Width) -> bytes:
    """Return the drawing; it has one form, which small screens scroll."""
    return draw(graph, title, image_format)


def _figures(subject: Subject, trial: Trial) -> str:
    names = [objective.metric for objective in subject.goal.objectives]
    return ", ".join(f"{name} {number(trial.metrics.get(name))}" for name in names)


def _short(text: str) -> str:
    return text if len(text) <= _TITLE else f"{text[: _TITLE - 1]}…"
