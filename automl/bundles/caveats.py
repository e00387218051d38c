"""Why running a study again may find something else."""

from __future__ import annotations

from automl.plugins import isolated
from automl.recipe import Recipe
from automl.study import Study

_UNSTEADY = ("timeout", "memory", "crashed", "exited", "gave_up")


def measured_metrics(study: Study) -> tuple[str, ...] | None:
    """Return the metrics that differ from run to run; ``None`` where the study's components cannot be made here."""
    cascade = isolated(lambda: Recipe.of(study.definition).cascade())
    if isinstance(cascade, Exception):
        return None
    return tuple(name for name, metric in cascade.declared().items() if metric.is_measured)


def caveats_of(study: Study, measured: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the reasons for which a replay may differ, one line each; empty where there is none.

    Args:
        study: it has ended.
        measured: of `measured_metrics`.
    """
    execution, found = study.definition.execution, []
    if execution.workers > 1 and not execution.deterministic:
        found.append(f"{execution.workers} evaluations ran at a time, in no fixed order (without --deterministic)")
    if measured is None:
        found.append("its components cannot be loaded here, so that nobody knows which metrics are clock readings")
    if deciding := [name for name in measured or () if name in _deciding(study)]:
        found.append(f"{', '.join(deciding)} decides, and is a reading that differs from run to run")
    unsteady = [record.number for record in study.records if record.error_kind in _UNSTEADY]
    if unsteady:
        found.append(f"trials {', '.join(map(str, unsteady[:5]))} failed for want of time or memory, or by a crash")
    return tuple(found)


def _deciding(study: Study) -> set[str]:
    """Return the metrics that objectives, constraints and rules of evaluators name."""
    goal = study.goal
    found = {objective.metric for objective in goal.objectives} | {one.metric for one in goal.constraints}
    for spec in study.definition.evaluators:
        rules = spec.options.get("reject", ())
        for rule in (rules,) if isinstance(rules, str) else rules:
            found.add(str(rule).split()[0])
        found |= {str(spec.options[name]) for name in ("keep_by", "distinct") if spec.options.get(name)}
    return found
