"""Descriptions of runs in Markdown: what was searched, what was best, and what to type to go on or do it again.

MLflow shows the first lines of a description and folds the rest away, so the result comes first, then links.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import quote

from automl import Study, Trial

STUDY_FILE = "study.toml"

_ROWS = 5
_DEFAULT_STORE = "automl.db"


def study_note(
    study: Study,
    best: Sequence[Trial],
    top: Sequence[Trial],
    title: Callable[[Trial], str],
    pages: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the description of a study's run.

    Args:
        study: the study.
        best: the best trial, or the Pareto front.
        top: the ranking.
        title: what a trial is called.
        pages: title and address within the UI of pages about the study.
    """
    links = " · ".join(f"[{name}]({address})" for name, address in pages)
    parts = (_headline(study, best, title), links, _table(study, top, title), _searched(study), _commands(study))
    return "\n\n".join(filter(None, parts))


def with_drawing(note: str, run_id: str, path: str) -> str:
    """Return ``note`` with a drawing among the run's artifacts at its end."""
    return f"{note}\n\n![best](get-artifact?path={quote(path, safe='')}&run_uuid={run_id})"


def number(value: float | None) -> str:
    """Return a metric as people read it.

    >>> number(0.98123), number(25466.0), number(None)
    ('0.9812', '25,466', '')
    """
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    return f"{value:,.0f}" if value == int(value) else f"{value:.4g}"


def grid(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines)


def _headline(study: Study, best: Sequence[Trial], title: Callable[[Trial], str]) -> str:
    if not best:
        return "No feasible result yet."
    metrics = ", ".join(f"{name} {number(best[0].metrics.get(name))}" for name in _metrics(study))
    which = "Best" if len(study.goal.objectives) == 1 else f"Pareto front of {len(best)}, first by {_metrics(study)[0]}"
    return f"**{which}: trial {_text(title(best[0]))}**, {metrics}"


def _table(study: Study, top: Sequence[Trial], title: Callable[[Trial], str]) -> str:
    if not top:
        return ""
    names = _metrics(study)
    rows = [
        [str(rank), title(trial), *(number(trial.metrics.get(name)) for name in names)]
        for rank, trial in enumerate(top[:_ROWS], 1)
    ]
    return grid(["rank", "trial", *names], rows)


def _searched(study: Study) -> str:
    definition, record = study.definition, study.record
    evaluators = ", ".join(f"`{spec.name}`" for spec in definition.evaluators)
    goal = "; ".join((*definition.objectives, *definition.constraints))
    budget = [
        f"{record.trials_budget} trials" if record.trials_budget is not None else "",
        f"{record.time_budget:g} s" if record.time_budget is not None else "",
    ]
    return (
        f"Searched the space `{definition.space.name}` by `{definition.strategy.name}` on the task "
        f"`{definition.task.name}`, evaluated by {evaluators}, for `{goal}`; "
        f"budget {' or '.join(filter(None, budget)) or 'unlimited'}, seed {definition.seed}."
    )


def _commands(study: Study) -> str:
    name, place = shlex.quote(study.name), _storage(study)
    lines = [
        f"automl show {name}{place}",
        f"automl best {name} --top 10{place}",
        f"automl report {name}{place}",
        f"automl run {STUDY_FILE} --study {shlex.quote(study.name + '-again')}",
    ]
    text = "\n".join(lines)
    return f"To go on; the last line does it again, from the file among the artifacts:\n\n```sh\n{text}\n```"


def _storage(study: Study) -> str:
    place = study.store.display_url
    return "" if place == f"sqlite:///{Path(_DEFAULT_STORE).resolve()}" else f" --storage {shlex.quote(place)}"


def _metrics(study: Study) -> list[str]:
    goal = study.goal
    named = [objective.metric for objective in goal.objectives] + [limit.metric for limit in goal.constraints]
    return list(dict.fromkeys(named))


def _text(text: str) -> str:
    """Return ``text`` with what Markdown would read as emphasis or markup made plain."""
    return "".join(f"\\{sign}" if sign in "\\`*_<>[]|~#" else sign for sign in text)


def _cell(text: str) -> str:
    # A bar ends a cell even when it is escaped, in the Markdown that MLflow speaks.
    return text if text == "---" else _text(text.replace("|", "¦"))
