"""The Python API: what the command line does, as functions."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from automl.definition import ComponentSpec, StudyDefinition, parse_definition
from automl.engine import Stopper
from automl.environment import check_unchanged, component_versions, environment, use_files_of
from automl.errors import UsageError
from automl.recipe import AUTO_TASK
from automl.recognition import recognise
from automl.runner import Prepared, prepare, run
from automl.storage.database import Durability
from automl.storage.store import Store
from automl.study import Study
from automl.tracker import Tracker

DEFAULT_STORAGE = "automl.db"
MAY_DIFFER = ("trackers", "execution")
"""What a study of the same name may have otherwise and still be the same study."""

log = logging.getLogger("automl")


def search(
    *,
    space: str | None = None,
    strategy: str = "sep_crossover",
    task: str = "auto",
    data: str | Path | None = None,
    target: str | None = None,
    evaluators: Sequence[str] = ("cost", "train"),
    trials: int | None = 50,
    seconds: float | None = None,
    seed: int = 0,
    objectives: Sequence[str] = (),
    constraints: Sequence[str] = (),
    reference: Mapping[str, float] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    execution: Mapping[str, Any] | None = None,
    study: str | None = None,
    storage: str = DEFAULT_STORAGE,
    trackers: Sequence[str] = (),
) -> Study:
    """Search for architectures and return the finished study.

    Args:
        space: name of the search space, or ``package.module:Class``; likewise the other components. By default
            ``nas_cell``, or what suits the ``data``.
        strategy: name of the search strategy.
        task: name of the task; by default ``digits``, or ``none`` when no evaluator looks at a task.
        data: your own data, a file or a folder; the task that can read it is found (`automl.recognise`).
        target: name of the column to learn, of a table given by ``data``.
        evaluators: names of the evaluators, cheap ones first.
        trials: budget in trials.
        seconds: budget in seconds.
        seed: seed of every proposal.
        objectives: as ``val_accuracy:max``; by default what the last evaluator reports first.
        constraints: as ``params <= 5e5``.
        reference: the worst value of each of several objectives that counts in the hypervolume, by metric.
        options: options by component name (or ``space``, ``strategy``, ``task``): ``{"train": {"epochs": 3}}``.
        execution: settings of `automl.definition.Execution`: ``{"workers": 2, "timeout": 60, "deterministic": True}``;
            with several workers, the calling script needs an ``if __name__ == "__main__":`` guard.
        study: name of the study; a new one by default.
        storage: database URL, or path of a SQLite file.
        trackers: names of trackers, as ``mlflow``.

    Raises:
        ConfigurationError: something in the definition is wrong; nothing was written.
        StoreError: the store failed.
    """
    definition = definition_of(
        options,
        {"space": space, "strategy": strategy, "task": task},
        (data, target),
        {"evaluators": evaluators, "trackers": trackers},
        {"name": study, "objectives": tuple(objectives), "constraints": tuple(constraints), "seed": seed},
        {"budget": {"trials": trials, "time": seconds}, "reference": reference, "execution": execution},
    )
    return start(definition, storage=storage)


def definition_of(
    options: Mapping[str, Mapping[str, Any]] | None,
    components: Mapping[str, str | None],
    own_data: tuple[str | Path | None, str | None],
    several: Mapping[str, Sequence[str]],
    settings: Mapping[str, Any],
    tables: Mapping[str, Mapping[str, Any] | None],
) -> StudyDefinition:
    """Return the definition that the arguments of `search` describe.

    Args:
        options: of components, by name or kind.
        components: names of the space, the strategy and the task.
        own_data: ``data`` and ``target``.
        several: names of evaluators and trackers.
        settings: single values.
        tables: groups of values; those that are ``None`` are as by default.

    Raises:
        UsageError: an option is for no component, or ``target`` is given without ``data``.
        DefinitionError: a setting is wrong.
    """
    chosen = dict(options or {})
    task, suited = _own_task(chosen, str(components["task"]), *own_data)
    names = {**components, "space": components["space"] or suited or "nas_cell", "task": task}
    values: dict[str, Any] = {kind: _spec(chosen, kind, str(name)) for kind, name in names.items()}
    values |= {kind: tuple(_spec(chosen, "", name) for name in given) for kind, given in several.items()}
    if chosen:
        raise UsageError(f"options for {', '.join(map(repr, chosen))}, but the study has no such component")
    given = {name: dict(table) for name, table in tables.items() if table is not None}
    return parse_definition({**values, **settings, **given})


def _own_task(
    chosen: dict[str, Mapping[str, Any]], task: str, data: str | Path | None, target: str | None
) -> tuple[str, str]:
    """Return the task that reads ``data`` and the space that suits it, and put the task's options into ``chosen``."""
    if data is None:
        if target is not None:
            raise UsageError(f"target {target!r} names a column of the table given by `data`; add that")
        return task, ""
    found = recognise(data, target=target, task=None if task == AUTO_TASK else task)
    log.info("%s: %s", data, found.in_words)
    chosen["task"] = {**found.guess.options, **chosen.get("task", {})}
    return found.task, found.guess.space


def _spec(chosen: dict[str, Mapping[str, Any]], kind: str, name: str) -> ComponentSpec:
    """Return the component with the options that ``chosen`` has for its kind or its name, taking them out."""
    return ComponentSpec(name=name, options={**chosen.pop(kind, {}), **chosen.pop(name, {})})


def resume(
    name: str, *, storage: str = DEFAULT_STORAGE, trials: int | None = None, seconds: float | None = None
) -> Study:
    """Continue a study, with a larger budget if one is given, and return it when it has ended."""
    store = Store(storage, create=False)
    return go_on(study_to_continue(name, store), trials=trials, seconds=seconds)


def load_study(name: str, *, storage: str = DEFAULT_STORAGE, store: Store | None = None) -> Study:
    """Return a study to read; raises `StudyNotFound`."""
    opened = store or Store(storage, create=False)
    use_files_of(name, opened.study(name).components, to_read=True)
    return Study(opened, name)


def study_to_continue(name: str, store: Store) -> Study:
    """Return a study to go on with, its plugin files loaded; raises `StudyNotFound`, or as `use_files_of`."""
    use_files_of(name, store.study(name).components)
    return Study(store, name)


def start(
    definition: StudyDefinition,
    *,
    storage: str,
    durability: Durability = "full",
    extra_trackers: Sequence[Tracker] = (),
    stopper: Stopper | None = None,
) -> Study:
    """Check a definition, write the study and run it."""
    prepared = prepare(definition)
    study = create(prepared, Store(storage, durability=durability))
    run(study, prepared, extra_trackers=extra_trackers, stopper=stopper)
    return study


def create(prepared: Prepared, store: Store) -> Study:
    """Write a new study to the store, named after its space and strategy unless it has a name."""
    definition = prepared.definition
    name = definition.name or _free_name(definition, store)
    store.create_study(
        name,
        definition.model_copy(update={"name": name}).model_dump(mode="json"),
        components=component_versions(definition, prepared.cascade),
        environment=environment(),
        trials_budget=definition.budget.trials,
        time_budget=definition.budget.time,
    )
    return Study(store, name)


def found_or_made(prepared: Prepared, store: Store, *, may_differ: Sequence[str] = MAY_DIFFER) -> tuple[Study, bool]:
    """Return the study of that name and definition, and whether it is new.

    Raises:
        UsageError: there is one of that name with another definition.
    """
    definition = prepared.definition
    name = definition.name or ""
    if name not in {record.name for record in store.studies()}:
        return create(prepared, store), True
    study = Study(store, name)
    different = [key for key, value in study.definition if key not in may_differ and value != getattr(definition, key)]
    if different:
        raise UsageError(
            f"there is a study {name!r} already, whose {' and '.join(different)} differ from this one's; "
            "give this one another name"
        )
    return study, False


def go_on(
    study: Study,
    *,
    trials: int | None = None,
    seconds: float | None = None,
    execution: Mapping[str, Any] | None = None,
    extra_trackers: Sequence[Tracker] = (),
    without_trackers: Sequence[str] = (),
    stopper: Stopper | None = None,
) -> Study:
    """Continue ``study``; budget and execution settings may change, nothing else."""
    definition = study.definition
    if execution:
        merged = {**definition.execution.model_dump(), **execution}
        definition = parse_definition({**definition.model_dump(mode="json"), "execution": merged})
    kept = tuple(spec for spec in definition.trackers if spec.name not in without_trackers)
    prepared = prepare(definition.model_copy(update={"trackers": kept}))
    check_unchanged(study.name, study.record.components, component_versions(definition, prepared.cascade))
    if trials is not None or seconds is not None:
        extend(study, trials, seconds)
    run(study, prepared, extra_trackers=extra_trackers, stopper=stopper)
    return study


def extend(study: Study, trials: int | None, seconds: float | None) -> None:
    """Change the budget of a study, in trials and in seconds; ``None`` leaves one as it is."""
    record = study.record
    lease = study.store.acquire(record.id)
    study.store.set_budget(
        lease,
        record.trials_budget if trials is None else trials,
        record.time_budget if seconds is None else seconds,
    )
    study.store.release(lease)


def _free_name(definition: StudyDefinition, store: Store) -> str:
    base = "-".join(spec.name.rpartition(":")[2] for spec in (definition.space, definition.strategy))
    taken = {study.name for study in store.studies()}
    number = 1
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"
