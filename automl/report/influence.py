"""The section on what the decisions did: importances, and what the answers to the most important ones were worth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from statistics import median

from automl.canvas import ImageFormat
from automl.objectives import Objective
from automl.report.importance import Importance, importance_of
from automl.report.page import Block, Folded, Grid, Plot, Section, Text, Width
from automl.report.pictures import draw_bars
from automl.report.subject import Subject
from automl.trial import Trial
from automl.words import number

_OBJECTIVES = 2
_DECISIONS, _ANSWERS = 4, 6
_HOW = (
    "How: a random forest foretells the rank of the objective from the decisions; an importance is half the rise of "
    "its squared error, on trials that it has not seen, when the answers to a decision are shuffled: about the share "
    "of the variance of the ranks that goes with the decision. Limits: it describes the trials of this study, which "
    "the strategy drew where it expected good ones, not the whole space; decisions that go together share their "
    "importance, and a decision that was nearly always answered alike has none."
)


def influence_section(subject: Subject) -> Section:
    """Return what the decisions did for each of the first objectives."""
    blocks: list[Block] = []
    for objective in subject.goal.objectives[:_OBJECTIVES]:
        blocks += _of(subject, objective)
    if any(isinstance(block, Plot) for block in blocks):
        blocks.append(Text(_HOW, is_note=True))
    return Section("importance", "What the decisions did", blocks)


def _of(subject: Subject, objective: Objective) -> list[Block]:
    metric = objective.metric
    trials = [trial for trial in _distinct(subject) if math.isfinite(trial.metrics.get(metric, math.nan))]
    values = [trial.metrics[metric] for trial in trials]
    architectures = [trial.architecture for trial in trials]
    roles = [subject.roles(architecture) for architecture in architectures]
    found = importance_of(architectures, roles, values)
    if isinstance(found, str):
        return [Text(f"`{metric}`: {found}", is_note=True)]
    if not found.decisions:
        return [Text(f"`{metric}`: no single decision matters on its own.", is_note=True)]
    bars = list(found.decisions)
    blocks: list[Block] = [
        Text(
            f"From the decisions alone, {found.foretold:.0%} of the variance of the ranks of `{metric}` could be "
            f"foretold ({found.count:,} networks). The decision that matters most is `{bars[0][0]}`."
        ),
        Plot(
            f"importance-{metric}",
            f"Importance of decisions for {metric}: " + ", ".join(f"{name} {share:.0%}" for name, _, share in bars),
            partial(_draw, [(name, share, role) for name, role, share in bars], metric),
            f"The {len(bars)} decisions that matter most for {metric}"
            + ("; colours are roles" if len({role for _, role, _ in bars}) > 1 else ""),
            has_narrow=True,
        ),
    ]
    if 1 < len(found.roles) < len({name for each in roles for name in each}):
        rows = [[role, _examples(found, role), f"{share:.0%}"] for role, share in found.roles.items()]
        blocks.append(Grid(["role", "among them", "importance"], rows, ["importance"], "Decisions of a role together"))
    answers = _answers(trials, [name for name, *_ in bars[:_DECISIONS]], objective)
    return [*blocks, Folded(f"What answers went with which {metric}", [answers])]


def _draw(bars: Sequence[tuple[str, float, str]], metric: str, image_format: ImageFormat, width: Width) -> bytes:
    return draw_bars(bars, f"importance for {metric}", image_format, width)


def _examples(found: Importance, role: str) -> str:
    return ", ".join(name for name, own, _ in found.decisions if own == role)


def _answers(trials: Sequence[Trial], names: Sequence[str], objective: Objective) -> Grid:
    """Return what trials were worth by their answers to decisions: the best answers of each by the median."""
    sign = -1 if objective.direction == "max" else 1
    rows = []
    for name in names:
        worth: dict[str, list[float]] = {}
        for trial in trials:
            answer = str(trial.architecture[name]) if name in trial.architecture else "(not asked)"
            worth.setdefault(answer, []).append(trial.metrics[objective.metric])
        ordered = sorted(worth.items(), key=lambda item: sign * median(item[1]))
        rows += [[name, answer, str(len(found)), number(median(found))] for answer, found in ordered[:_ANSWERS]]
    columns = ["decision", "answer", "networks", f"median {objective.metric}"]
    return Grid(columns, rows, columns[2:], "Answers to the decisions that matter most, the best first")


def _distinct(subject: Subject) -> list[Trial]:
    """Return the completed trials in full, each network once."""
    found = {
        trial.key: trial
        for trial in reversed(subject.trials)
        if trial.fidelity is None and trial.state.value == "completed"
    }
    return list(found.values())[::-1]
