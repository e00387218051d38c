"""How studies, trials and architectures show themselves in a notebook: HTML with drawings, in its own colours.

Everything that came from a study is escaped. Lines and text take the colour of the page, so that they can be read on
a light and on a dark one; boxes of drawings have light colours and dark letters on both. A drawing needs the search
space: where that is not installed, or fails, there are the decisions alone.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from automl.architecture import Architecture
from automl.definition import ComponentSpec
from automl.drawing import draw
from automl.models.trained import make_space
from automl.plugins import isolated
from automl.space import SearchSpace
from automl.trial import Trial
from automl.words import number, plural, seconds

if TYPE_CHECKING:
    from automl.asking import AskedTrial
    from automl.study import Study

_ROWS = 5
_COLUMNS = 4
_BOX = (
    "border:1px solid color-mix(in srgb, currentColor 25%, transparent);border-radius:6px;padding:8px 12px;"
    "margin:4px 0;max-width:100%;overflow-x:auto"
)
_CELL = "text-align:left;padding:2px 14px 2px 0;border:0;background:none;color:inherit"
_SOFT = "opacity:.7"
_PAPER, _EDGE = "#ffffff", "#606060"

_drawn = itertools.count()


def study_html(study: Study) -> str:
    """Return a card of a study: where it stands, its best trials, and a drawing of the best."""
    record, counts = study.record, study.store.counts(study.record.id)
    shown = [plural(counts["completed"], "trial") + " completed"]
    shown += [f"{counts[state]} {state}" for state in ("failed", "rejected", "pruned", "running") if counts[state]]
    budgets = [plural(record.trials_budget, "trial")] if record.trials_budget is not None else []
    budgets += [seconds(record.time_budget)] if record.time_budget is not None else []
    goal = ", ".join(map(str, (*study.goal.objectives, *study.goal.constraints)))
    definition = study.definition
    facts = [
        f"{definition.strategy.name} on {definition.space.name}: {goal}",
        f"{study.state.value}, {', '.join(shown)}; budget {' and '.join(budgets)}; {seconds(record.elapsed)}",
    ]
    top = study.top(_ROWS)
    parts = [_title(f"Study {study.name}"), *(_line(fact) for fact in facts)]
    if top:
        names = _metrics(top, [objective.metric for objective in study.goal.objectives])
        rows = [[str(one.number), *(number(one.metrics.get(name)) for name in names), _said(one)] for one in top]
        parts += [_table(["trial", *names, "architecture"], rows), _line(f"Trial {top[0].number}:")]
        parts.append(_drawing(top[0].architecture))
    return _box(parts)


def trial_html(trial: Trial) -> str:
    """Return a card of a trial: its state, its metrics and a drawing."""
    facts = [trial.state.value + (f": {trial.error}" if trial.error else "")]
    facts += [f"repeats trial {trial.duplicate_of}"] if trial.duplicate_of is not None else []
    facts += ["answered by another study"] if trial.is_cached else []
    metrics = [[name, number(value)] for name, value in trial.metrics.items()]
    table = [_table(["metric", "value"], metrics)] if metrics else []
    return _box([_title(f"Trial {trial.number}"), *map(_line, facts), *table, *_architecture(trial.architecture)])


def asked_html(trial: AskedTrial) -> str:
    """Return a card of a trial that waits for its result."""
    facts = ["waits for its result", *([] if trial.fidelity is None else [f"fidelity {number(trial.fidelity)}"])]
    return _box([_title(f"Trial {trial.number}"), *map(_line, facts), *_architecture(trial.architecture)])


def architecture_html(architecture: Architecture) -> str:
    """Return a card of an architecture: its title, a drawing where its space is known, and its decisions."""
    return _box(_architecture(architecture))


def _architecture(architecture: Architecture) -> list[str]:
    title, drawing = _titled(architecture), _drawing(architecture)
    rows = [[name, str(value)] for name, value in architecture.to_json().items()]
    decisions = _table(["decision", "answer"], rows)
    if drawing:
        summary = f'<summary style="cursor:pointer;{_SOFT}">{plural(len(rows), "decision")}</summary>'
        decisions = f"<details>{summary}{decisions}</details>"
    return [*([_line(title)] if title else []), drawing, decisions]


def _said(trial: Trial) -> str:
    """Return the architecture in one line."""
    return _titled(trial.architecture) or str(trial.architecture)


def _titled(architecture: Architecture) -> str:
    space = _space(architecture.space)
    found = None if space is None else isolated(lambda: space.title(space.blueprint(architecture)))
    return found.partition("\n")[0] if isinstance(found, str) else ""


def _drawing(architecture: Architecture) -> str:
    """Return an SVG element with ids of its own; empty where the architecture cannot be drawn."""
    space = _space(architecture.space)
    if space is None:
        return ""
    found = isolated(lambda: draw(space.computed_graph_of(architecture), "", "svg"))
    if isinstance(found, Exception):
        return ""
    from automl.report.svg import inlined

    key = f"a{hashlib.sha256(str(architecture).encode()).hexdigest()[:8]}n{next(_drawn)}"
    svg = str(inlined(found, key, _titled(architecture) or "architecture", is_paper=True))
    return (
        svg.replace(f"fill: {_PAPER}", "fill: none")
        .replace(_EDGE, "currentColor")
        .replace(
            'style="--natural:', 'style="display:block;max-width:100%;height:auto;width:var(--natural);--natural:', 1
        )
    )


def _space(spec: ComponentSpec | None) -> SearchSpace[Any] | None:
    if spec is None:
        return None
    found = isolated(lambda: _made(spec.model_dump_json()))
    return None if isinstance(found, Exception) else found


@functools.lru_cache(16)
def _made(spec: str) -> SearchSpace[Any]:
    return make_space(ComponentSpec.model_validate_json(spec))


def _metrics(trials: Sequence[Trial], objectives: Iterable[str]) -> list[str]:
    known = [name for trial in trials for name in trial.metrics]
    return list(dict.fromkeys([*(name for name in objectives if name in known), *known]))[:_COLUMNS]


def _box(parts: Iterable[str]) -> str:
    return f'<div style="{_BOX}">{"".join(parts)}</div>'


def _title(text: str) -> str:
    return f'<div style="font-weight:600">{escape(text)}</div>'


def _line(text: str) -> str:
    return f'<div style="{_SOFT}">{escape(text)}</div>'


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(cells: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(f'<{tag} style="{_CELL}">{escape(cell)}</{tag}>' for cell in cells) + "</tr>"

    body = "".join(line(row, "td") for row in rows)
    return f'<table style="border-collapse:collapse;margin:6px 0;color:inherit">{line(head, "th")}{body}</table>'
