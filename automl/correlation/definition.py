"""The definition of a correlation: a study whose trials are a sample, with a part that says what is reported of it.

A correlation **is** a study: by default random search draws the architectures, the budget in trials is the size of the
sample, and the objective is the metric with which scores are compared. So it is stored, resumed, cached, mirrored and
shared out to workers like any other. Its file has a table more:

    [[evaluators]]
    name = "zero_cost"
    proxies = ["naswot", "synflow"]

    [[evaluators]]
    name = "train"

    [budget]
    trials = 500

    [correlation]
    metric = "val_accuracy"

Parameters and multiply-accumulates are always among the scores: what does not rank better than counting is worth
nothing. They are added here where they are not asked for.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from automl.architecture import Architecture
from automl.cascade import Cascade
from automl.definition import ComponentSpec, Correlation, DefinitionError, StudyDefinition, parse_definition
from automl.errors import AutomlError, ConfigurationError, unknown_name
from automl.objectives import Objective
from automl.plugins import registry
from automl.recipe import Recipe
from automl.runner import Prepared, prepare

FORM = "correlation"
"""The table that makes a study file one of a correlation."""
PROXIES = "zero_cost"
"""The evaluator of proxies."""
SAMPLER = "random_search"
LISTED = "listed"
"""The strategy that proposes given architectures."""
BASELINES = ("params", "flops")
"""What counting alone says. As scores both are read as "more is better", whatever an evaluator declares."""
COUNTING = "cost"
"""The evaluator of the baselines, where no other has them."""

_FEW = 4.0


def parse_correlation(values: Mapping[str, Any]) -> StudyDefinition:
    """Return the validated definition of a correlation's study; raises `DefinitionError` with the path of a mistake.

    >>> found = parse_correlation({"correlation": {"metric": "val_accuracy"}, "budget": {"trials": 80}})
    >>> found.strategy.name, found.budget.trials
    ('random_search', 80)
    """
    definition = parse_definition({"strategy": SAMPLER, FORM: {}, **values})
    if len(definition.objectives) > 1:
        raise DefinitionError(
            "a correlation has one metric, and no other objective; remove the others", ("objectives",)
        )
    evaluators = tuple(_with_baselines(spec) for spec in definition.evaluators)
    return definition.model_copy(update={"evaluators": evaluators})


def settings_of(definition: StudyDefinition) -> Correlation:
    """Return what is reported of a study, with the defaults where it is no correlation."""
    return definition.correlation or Correlation()


def prepared_correlation(definition: StudyDefinition) -> Prepared:
    """Return the checked components of a correlation with its metric filled in; nothing is written.

    Raises:
        ConfigurationError: a component is wrong, the metric is declared by no evaluator or is a score itself, or the
            sample is larger than the space.
    """
    prepared = prepare(completed(definition))
    _check_sample(prepared)
    return prepared


def completed(definition: StudyDefinition) -> StudyDefinition:
    """Return ``definition`` with the metric and its direction, and with the baselines where no evaluator has them.

    Raises:
        DefinitionError: the metric is declared by no evaluator, or is a score itself.
    """
    settings = settings_of(definition)
    cascade = Recipe.of(definition.model_copy(update={"objectives": ()})).cascade()
    declared = cascade.declared()
    if any(name not in declared for name in BASELINES):
        if any(spec.name == COUNTING for spec in definition.evaluators):
            raise ConfigurationError(f"the evaluator {COUNTING!r} does not report {' and '.join(BASELINES)}")
        counted = (ComponentSpec(name=COUNTING), *definition.evaluators)
        return completed(definition.model_copy(update={"evaluators": counted}))
    if settings.study is not None:
        # The metric is another study's. The objective chooses nothing here; this one every network has.
        return definition.model_copy(update={"objectives": (f"{BASELINES[0]}:min",)})
    objective = Objective.parse(definition.objectives[0]) if definition.objectives else None
    if objective is not None and settings.metric not in (None, objective.metric):
        message = f"the metric {settings.metric!r} is not the objective {str(objective)!r}; name only one of them"
        raise DefinitionError(message, (FORM, "metric"))
    metric = settings.metric or (objective.metric if objective else _default_metric(cascade))
    _check_metric(metric, cascade)
    direction = objective.direction if objective else declared[metric].direction
    filled = settings.model_copy(update={"metric": metric})
    return definition.model_copy(update={"objectives": (f"{metric}:{direction}",), FORM: filled})


def in_order(evaluators: Sequence[str]) -> tuple[str, ...]:
    """Return evaluators with that of proxies: behind those that look at no task, which only look up, before the others.

    Where it is named among them, it stays in its place. An unknown name is left to be refused later.
    """
    if PROXIES in evaluators:
        return tuple(evaluators)
    place = 0
    with contextlib.suppress(AutomlError):
        while place < len(evaluators) and not registry().load("evaluator", evaluators[place]).needs_task:
            place += 1
    return (*evaluators[:place], PROXIES, *evaluators[place:])


def owner_of(metric: str, cascade: Cascade) -> str:
    """Return the name of the evaluator whose value of ``metric`` a trial keeps: the last that declares it."""
    owners = [
        stage.name for stage in cascade.stages if any(each.name == metric for each in stage.metrics(cascade.task))
    ]
    return owners[-1]


def _with_baselines(spec: ComponentSpec) -> ComponentSpec:
    """Return the evaluator of proxies with the baselines among them, and with the time that each proxy takes."""
    if spec.name != PROXIES:
        return spec
    options = {"timings": True, **spec.options}
    asked = options.get("proxies")
    if isinstance(asked, str):
        asked = [name.strip() for name in asked.split(",")]
    if isinstance(asked, list | tuple):  # anything else is for the evaluator itself to refuse
        named = {each.get("name") if isinstance(each, Mapping) else each for each in asked}
        options["proxies"] = [*asked, *(name for name in BASELINES if name not in named)]
    return spec.model_copy(update={"options": options})


def _default_metric(cascade: Cascade) -> str:
    for stage in reversed(cascade.stages):
        declared = stage.metrics(cascade.task)
        if stage.name not in (PROXIES, COUNTING) and declared:
            return declared[0].name
    raise ConfigurationError(
        "a correlation needs a metric to compare scores with: name the evaluator that reports it, as "
        "--evaluator train, or a study that has it, as --study NAME"
    )


def _check_metric(metric: str, cascade: Cascade) -> None:
    declared = cascade.declared()
    if metric not in declared:
        known = [name for name, each in declared.items() if not each.is_measured]
        raise DefinitionError(unknown_name("metric", metric, known, "automl describe evaluator NAME"), (FORM, "metric"))
    if metric in BASELINES or owner_of(metric, cascade) == PROXIES:
        raise DefinitionError(
            f"the metric {metric!r} is one of the scores that are compared; name what they are compared with, as "
            "val_accuracy",
            (FORM, "metric"),
        )


def _check_sample(prepared: Prepared) -> None:
    """Raise when a random sample is larger than the space; counts the architectures only where that is in doubt."""
    definition, cascade = prepared.definition, prepared.cascade
    wanted = definition.budget.trials
    if wanted is None or definition.strategy.name != SAMPLER or cascade.space.size() > _FEW * wanted:
        return
    there = sum(1 for _ in itertools.islice(_members(cascade), wanted))
    if there < wanted:
        what = "different networks" if cascade.identity == "network" else "architectures"
        raise DefinitionError(
            f"a sample of {wanted} cannot be drawn: the space {definition.space.name} has {there} {what}; "
            "ask for fewer",
            ("budget", "trials"),
        )


def _members(cascade: Cascade) -> Iterator[Architecture]:
    """Yield the architectures whose results differ."""
    seen: set[str] = set()
    for architecture in cascade.space.enumerate():
        key = cascade.space.key(architecture) if cascade.identity == "network" else str(architecture)
        if key not in seen:
            seen.add(key)
            yield architecture
