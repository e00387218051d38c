"""Retraining from Python: what `automl retrain` does, as a function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from automl.definition import ComponentSpec, StudyDefinition, parse_definition
from automl.errors import ConfigurationError, UsageError
from automl.models.ensemble import diverse_trials, make_ensemble
from automl.models.plan import plan_of, with_epochs
from automl.models.retraining import Retrained, Retraining
from automl.models.trained import make_space
from automl.options import parse_options
from automl.plugins import registry
from automl.study import Study
from automl.tracker import Tracker


def retrain(
    study: Study,
    *,
    trial: int | Literal["best"] = "best",
    epochs: int | None = None,
    seeds: int = 3,
    ensemble: int | None = None,
    evaluator: str | None = None,
    task: str | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    device: str | None = None,
    replaces: bool = False,
    without_trackers: Sequence[str] = (),
) -> Retrained:
    """Train a found architecture to keep, on all data but the test split, test it, and return the models.

    What is there already is not trained again, and what was interrupted goes on.

    Args:
        study: where the architecture is from.
        trial: its number, or the best one.
        epochs: passes over the data; as in the search by default.
        seeds: trainings, each with a seed of its own, from 0.
        ensemble: train this many good architectures that differ, and average them.
        evaluator: what trains; the study's own by default.
        task: on what; the study's own by default.
        options: options by component name, or of the ``task``: ``{"train": {"batch_size": 64}}``.
        device: torch device; the best there is by default.
        replaces: replace models that were trained with other settings.
        without_trackers: names of trackers of the study that are not told.

    Raises:
        UsageError: nothing in the study can be trained so, or a model with other settings is there.
        ConfigurationError: an option is wrong, or the data have changed since the search.
    """
    if ensemble is not None and trial != "best":
        raise UsageError("the members of an ensemble are the best trials: leave `trial` or `ensemble` out")
    if seeds < 1:
        raise UsageError(f"`seeds` must be at least 1, but is {seeds}")
    definition = _definition(study, evaluator, task, {name: dict(of) for name, of in (options or {}).items()}, device)
    if epochs is not None:
        definition = with_epochs(definition, epochs)
    if ensemble is not None:
        trials = diverse_trials(study, make_space(study.definition.space), ensemble)
    else:
        trials = (study.best_trial.number if trial == "best" else study.trial(trial).number,)
    plan = plan_of(study, definition, trials=trials, seeds=tuple(range(seeds)), replaces=replaces)
    done = Retraining(plan, trackers=trackers_of(study, without=without_trackers)).run()
    if ensemble is None:
        return done
    return replace(done, ensembles=tuple(make_ensemble(plan, done.models, seed) for seed in plan.seeds))


def trackers_of(study: Study, *, without: Sequence[str] = ()) -> list[Tracker]:
    """Return the trackers of the study, but for those named in ``without``."""
    found = []
    for spec in study.definition.trackers:
        if spec.name in without:
            continue
        component = registry().load("tracker", spec.name)
        try:
            found.append(component(parse_options(component, spec.name, spec.options)))
        except ConfigurationError as error:
            raise ConfigurationError(f"tracker {spec.name} of study {study.name!r}: {error}") from error
    return found


def _definition(
    study: Study, evaluator: str | None, task: str | None, chosen: dict[str, dict[str, Any]], device: str | None
) -> StudyDefinition:
    """Return the study's definition with what the arguments change."""
    definition = study.definition
    evaluators = definition.evaluators
    if evaluator is not None:
        same = [spec for spec in evaluators if spec.name == evaluator]
        evaluators = tuple(same) or (ComponentSpec(name=evaluator),)
    its_task = definition.task if task in (None, definition.task.name) else ComponentSpec(name=str(task))
    values: dict[str, Any] = {
        **definition.model_dump(mode="json"),
        "task": _with(its_task, chosen.pop("task", {}), chosen.pop(its_task.name, {})),
        "evaluators": [_with(spec, chosen.pop(spec.name, {})) for spec in evaluators],
    }
    if device is not None:
        values["execution"] = {**values["execution"], "devices": (device,), "workers": 1}
    if chosen:
        known = ", ".join(["task", its_task.name, *(spec.name for spec in evaluators)])
        raise UsageError(f"options for {', '.join(map(repr, chosen))}, but what trains here is: {known}")
    return parse_definition(values)


def _with(spec: ComponentSpec, *more: Mapping[str, Any]) -> dict[str, Any]:
    options = dict(spec.options)
    for each in more:
        options.update(each)
    return {"name": spec.name, "options": options}
