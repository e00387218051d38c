"""Evaluators that a search needs for what was asked on the command line, and that nobody has named."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from automl.conditions import Condition
from automl.definition import ComponentSpec, StudyDefinition
from automl.errors import AutomlError
from automl.objectives import Objective
from automl.options import parse_options
from automl.plugins import isolated, registry
from automl.reporters import reported_by, reporters_of
from automl.task import Task
from automl.variants import EVERY

log = logging.getLogger("automl")


def with_reporters(specs: Sequence[Mapping[str, Any]], wanted: Sequence[str], task: Mapping[str, Any]) -> list[Any]:
    """Return the default evaluators, with one more for each metric in ``wanted`` that they do not report.

    One is added where exactly one evaluator reports the metric, looks at the task (as tables of benchmarks do not), and
    so fits beside training. It goes before the last, the dearest, so that limits on its metrics spare that one. What is
    added is said in one line; what cannot be is left for the check of the whole study to name.

    Args:
        specs: the evaluators as in a definition.
        wanted: names of metrics.
        task: the task as in a definition.
    """
    found = list(specs)
    made = _made(task) if wanted else None
    if made is None:
        return found
    for metric in dict.fromkeys(wanted):
        if any(metric in reported_by(ComponentSpec.model_validate(spec), made) for spec in found):
            continue
        present = [spec["name"] for spec in found]
        names = [name for name in reporters_of(metric, made) if name not in present]
        if len(names) != 1 or not registry().load("evaluator", names[0]).needs_task:
            continue
        found.insert(len(found) - 1, {"name": names[0], "options": {}})
        log.info("evaluator %s was added, since it reports %s", names[0], metric)
    return found


def metrics_wanted(objectives: Sequence[str], constraints: Sequence[str]) -> list[str]:
    """Return the metrics that objectives and constraints name; what cannot be read is refused elsewhere."""
    found = []
    for parse, texts in ((Objective.parse, objectives), (Condition.parse, constraints)):
        for text in texts:
            try:
                found.append(parse(text).metric)
            except AutomlError:
                continue
    return [metric for metric in found if not metric.endswith(f".{EVERY}")]


def are_default(specs: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether these are the evaluators that a study has where it names none."""
    default = StudyDefinition.model_fields["evaluators"].default
    return [spec["name"] for spec in specs] == [spec.name for spec in default]


def _made(spec: Mapping[str, Any]) -> Task | None:
    """Return the task; nothing where it cannot be made, which is said later."""

    def make() -> Task:
        component = registry().load("task", spec["name"])
        task: Task = component(parse_options(component, spec["name"], spec["options"]))
        return task.seal()

    found = isolated(make)
    return None if isinstance(found, Exception) else found
