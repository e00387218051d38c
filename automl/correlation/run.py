"""Writing and running the study of a correlation: the same definition finds the same study again, and goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from automl.api import create, go_on
from automl.correlation.definition import FORM, LISTED
from automl.correlation.sample import cascade_of, metric_of
from automl.definition import ComponentSpec, Correlation, StudyDefinition
from automl.engine import Stopper
from automl.errors import UsageError
from automl.plugins import registry
from automl.recipe import AUTO_TASK
from automl.runner import Prepared, run
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.tracker import Tracker
from automl.trial import TrialState

ENDED = frozenset({StudyState.COMPLETED, StudyState.EXHAUSTED})

_MAY_DIFFER = ("name", "trackers", "execution", FORM)
_NO_TASK = "none"


def write(prepared: Prepared, store: Store) -> tuple[Study, bool]:
    """Return the study that ``prepared`` describes, and whether it was written now.

    Without a name, it takes the first that is free, or has that very definition: the same command goes on with the same
    study. What only the report shows may change.

    Raises:
        UsageError: there is one of that name with another definition; says in what they differ.
    """
    definition = prepared.definition
    known = {record.name for record in store.studies()}
    name = definition.name or _name(definition, store, known)
    if name in known:
        study = Study(store, name)
        if different := differences(study.definition, definition):
            more = f"; `automl resume {name} --trials N` enlarges its sample" if different == ["budget"] else ""
            raise UsageError(
                f"there is a study {name!r} already, whose {' and '.join(different)} differ from this one's; "
                f"choose another name{more}"
            )
        return study, False
    named = definition.model_copy(update={"name": name})
    return create(Prepared(prepared.recipe.of_sibling(named), prepared.cascade, prepared.trackers), store), True


def work(
    study: Study,
    prepared: Prepared,
    *,
    is_new: bool,
    extra_trackers: Sequence[Tracker] = (),
    stopper: Stopper | None = None,
) -> StudyState:
    """Run ``study``, or go on with it, unless it has ended; return its state."""
    if is_new:
        return run(study, prepared, extra_trackers=extra_trackers, stopper=stopper)
    if study.state not in ENDED:
        kept = {spec.name for spec in prepared.recipe.definition.trackers}
        dropped = [spec.name for spec in study.definition.trackers if spec.name not in kept]
        execution = prepared.recipe.definition.execution
        go_on(
            study,
            execution={name: getattr(execution, name) for name in execution.model_fields_set},
            extra_trackers=extra_trackers,
            without_trackers=dropped,
            stopper=stopper,
        )
    return study.state


def durability_of(prepared: Prepared) -> Durability:
    """Return what a commit is to survive by default: look-ups are soon made again."""
    return "full" if prepared.cascade.needs_task else "normal"


def differences(one: StudyDefinition, other: StudyDefinition) -> list[str]:
    """Return in which settings ``other`` is another correlation than ``one``."""
    if one.correlation is None or other.correlation is None:
        return [FORM]
    found = [name for name, value in one if name not in _MAY_DIFFER and value != getattr(other, name)]
    return found if one.correlation.study == other.correlation.study else [*found, "study"]


def scoring(definition: StudyDefinition, finished: Study) -> StudyDefinition:
    """Return ``definition`` so that it scores the architectures of ``finished``, each network once.

    Space and task are those of ``finished``, the task unless ``definition`` names one.

    Raises:
        UsageError: ``finished`` has no completed trial, does not know the metric, or looked at no task, and
            ``definition`` names none.
    """
    settings = definition.correlation or Correlation()
    theirs = finished.definition
    metric = metric_of(finished, cascade_of(finished), settings.metric)
    listed: dict[str, Any] = {}
    for record in finished.records:
        if record.state == TrialState.COMPLETED and record.fidelity is None and metric.name in record.metrics:
            listed.setdefault(record.canonical_key, dict(record.architecture))
    if not listed:
        raise UsageError(f"study {finished.name!r} has no completed trial with {metric.name}; name another study")
    task = theirs.task if definition.task.name == AUTO_TASK else definition.task
    if task.name == _NO_TASK and definition.task.name == AUTO_TASK and _needs_task(definition):
        raise UsageError(
            f"study {finished.name!r} looked at no data, and scores need some; name the task that they look at, as "
            "--task digits"
        )
    strategy = ComponentSpec(name=LISTED, options={"architectures": list(listed.values())})
    changed: dict[str, Any] = {
        "space": theirs.space,
        "strategy": strategy,
        "task": task,
        "objectives": (),
        "budget": definition.budget.model_copy(update={"trials": len(listed), "time": None}),
        FORM: settings.model_copy(update={"study": finished.name, "metric": metric.name}),
    }
    return definition.model_copy(update=changed)


def _needs_task(definition: StudyDefinition) -> bool:
    return any(registry().load("evaluator", spec.name).needs_task for spec in definition.evaluators)


def _name(definition: StudyDefinition, store: Store, known: set[str]) -> str:
    space = definition.space.name.rpartition(":")[2]
    number = 1
    while (name := f"{space}-correlation-{number}") in known:
        if not differences(Study(store, name).definition, definition):
            return name
        number += 1
    return name
