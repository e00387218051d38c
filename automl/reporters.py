"""Which installed evaluators report a metric that a study wants, and its own do not."""

from __future__ import annotations

from collections.abc import Sequence

from automl.definition import ComponentSpec
from automl.evaluator import Evaluator
from automl.options import parse_options
from automl.plugins import isolated, registry
from automl.task import Task


def reporters_of(metric: str, task: Task) -> list[str]:
    """Return the names of the registered evaluators that report ``metric`` on ``task`` with default options.

    All evaluators are imported for it. One that cannot be made, or needs options or data, counts as one that does not.
    """
    return [name for name in registry().names("evaluator") if metric in reported_by(ComponentSpec(name=name), task)]


def reported_by(spec: ComponentSpec, task: Task) -> list[str]:
    """Return the names of the metrics that an evaluator declares on ``task``; none where it cannot be made."""

    def declared() -> list[str]:
        component = registry().load("evaluator", spec.name)
        evaluator: Evaluator = component(parse_options(component, spec.name, spec.options))
        return [metric.name for metric in evaluator.metrics(task)]

    found = isolated(declared)
    return [] if isinstance(found, Exception) else found


def advice_on(metric: str, task: Task, present: Sequence[str] = ()) -> str:
    """Return the line that says which evaluator to add for ``metric``; empty where none is known to report it."""
    names = [name for name in reporters_of(metric, task) if name not in present]
    if not names:
        return ""
    if len(names) == 1:
        return f"\n  evaluator {names[0]!r} reports it; name it beside the study's others: --evaluator {names[0]}"
    return f"\n  evaluators that report it: {', '.join(names)}; name one of them with --evaluator"
