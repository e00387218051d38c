"""Studies for a loop of one's own: made or found again by `open_study`, then asked and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.api import DEFAULT_STORAGE, MAY_DIFFER, definition_of, extend, found_or_made
from automl.asking import Asking
from automl.conditions import Condition
from automl.environment import check_unchanged, component_versions, use_files_of
from automl.errors import ConfigurationError
from automl.objectives import Objective
from automl.runner import prepare
from automl.storage.store import Store
from automl.study import Study
from automl.told import TOLD


def open_study(
    name: str,
    *,
    space: str | None = None,
    strategy: str = "sep_crossover",
    objectives: Sequence[str] = (),
    constraints: Sequence[str] = (),
    task: str = "auto",
    data: str | Path | None = None,
    target: str | None = None,
    evaluators: Sequence[str] = (),
    trials: int | None = 50,
    seconds: float | None = None,
    seed: int = 0,
    reference: Mapping[str, float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    execution: Mapping[str, Any] | None = None,
    storage: str = DEFAULT_STORAGE,
    trackers: Sequence[str] = (),
) -> Study:
    """Return the study ``name`` for a loop of your own: `Study.ask`, `Study.tell`. One that is not there is made.

    Nothing runs. The arguments are those of `automl.search`, except that without evaluators the results are yours
    alone, and ``objectives`` must say what you will tell. A study that is there goes on, with the budget given here.

    Raises:
        UsageError: there is such a study with another definition.
        ConfigurationError: something in the definition is wrong; nothing was written.
    """
    if not evaluators:
        evaluators, told = (TOLD,), {"reports": _announced(objectives, constraints)}
        options = {**(options or {}), TOLD: told}
    definition = definition_of(
        options,
        {"space": space, "strategy": strategy, "task": task},
        (data, target),
        {"evaluators": evaluators, "trackers": trackers},
        {"name": name, "objectives": tuple(objectives), "constraints": tuple(constraints), "seed": seed},
        {"budget": {"trials": trials, "time": seconds}, "reference": reference, "execution": execution},
    )
    study, is_new = found_or_made(prepare(definition), Store(storage), may_differ=(*MAY_DIFFER, "budget"))
    if not is_new and (study.record.trials_budget, study.record.time_budget) != (trials, seconds):
        extend(study, trials, seconds)
    return study


def ask_and_tell(study: Study) -> Asking:
    """Take a study, so that its caller may ask and tell; raises as `automl.resume`."""
    was = study.record.components
    use_files_of(study.name, was)
    prepared = prepare(study.definition)
    check_unchanged(study.name, was, component_versions(prepared.definition, prepared.cascade))
    return Asking(study, prepared)


def _announced(objectives: Sequence[str], constraints: Sequence[str]) -> list[str]:
    """Return the metrics that will be told, as objectives are written; the direction of a limit means nothing."""
    if not objectives:
        raise ConfigurationError("without evaluators, say what you will tell: objectives=['val_accuracy:max']")
    known = {one.metric: str(one) for one in map(Objective.parse, objectives)}
    limits = [Condition.parse(text).metric for text in constraints]
    return list({**{metric: f"{metric}:min" for metric in limits}, **known}.values())
