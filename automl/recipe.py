"""The recipe: what a worker needs to rebuild a study's components, as plain data; and the checks at the door."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from automl.cascade import Cascade, Stage
from automl.conditions import Condition
from automl.definition import ComponentSpec, StudyDefinition
from automl.errors import ConfigurationError, PluginError
from automl.evaluator import Evaluator
from automl.generation import Keep
from automl.options import parse_options, parse_shared_options
from automl.plugins import Kind, Registry, load_target, registry
from automl.space import SearchSpace
from automl.strategy import Problem, Strategy
from automl.task import Task
from automl.variants import chosen_variants, rules_in
from automl.warm_start import warm_started

AUTO_TASK = "auto"


@dataclass(frozen=True)
class Recipe:
    """A definition with the import targets of its components; picklable, and the same in every process."""

    definition: StudyDefinition
    targets: Mapping[str, str]

    @classmethod
    def of(cls, definition: StudyDefinition, known: Registry | None = None) -> Recipe:
        """Resolve every component that ``definition`` names; raises `ConfigurationError` or `PluginError`."""
        found = known or registry()
        definition = with_task(definition, found)
        targets = {}
        for kind, spec in _specs(definition):
            found.load(kind, spec.name)
            targets[f"{kind} {spec.name}"] = found.find(kind, spec.name).target
        return cls(definition, targets)

    def component(self, kind: Kind, spec: ComponentSpec) -> tuple[type[Any], Any]:
        """Return a component's class and its validated options."""
        component = load_target(self.targets[f"{kind} {spec.name}"])
        return component, parse_options(component, spec.name, spec.options)

    def of_sibling(self, definition: StudyDefinition) -> Recipe:
        """Return the recipe of a study that differs in name, strategy and seed alone; both use the same cascade."""
        sibling = Recipe.of(definition)
        sibling.__dict__["_cascade"] = self.cascade()
        return sibling

    def __reduce__(self) -> tuple[type[Recipe], tuple[StudyDefinition, Mapping[str, str]]]:
        """Travel without the cascade."""
        return Recipe, (self.definition, self.targets)

    def cascade(self) -> Cascade:
        """Return the space, the sealed task and the evaluators, built once per process.

        Raises:
            ConfigurationError: an option is wrong, or the goal names a metric that no evaluator reports.
        """
        if "_cascade" not in self.__dict__:
            self.__dict__["_cascade"] = self._build()
        cascade: Cascade = self.__dict__["_cascade"]
        return cascade

    def _build(self) -> Cascade:
        definition = self.definition
        space, space_options = self.component("space", definition.space)
        task, task_options = self.component("task", definition.task)
        made, sealed = space(space_options), task(task_options).seal()
        stages: list[Stage] = []
        for spec in definition.evaluators:
            component, options = self.component("evaluator", spec)
            stage = _stage(spec.name, component(options), made)
            stages.append(replace(stage, keep=_keep(stage, stages, sealed)))
        first = stages[-1].metrics(sealed)
        if not first and not definition.objectives:
            raise ConfigurationError(f"evaluator {stages[-1].name!r} declares no metric; name one with --objective")
        goal = definition.goal(f"{first[0].name}:{first[0].direction}" if first else "")
        timeout = definition.execution.timeout
        cascade = Cascade(made, sealed, tuple(stages), goal, timeout)
        cascade.check_goal()
        return cascade

    def strategy(self, cascade: Cascade) -> Strategy:
        """Build the strategy; raises `ConfigurationError` when the study is not for it."""
        definition = self.definition
        component, options = self.component("strategy", definition.strategy)
        goal = cascade.goal
        if len(goal.objectives) > 1 and not component.is_multi_objective:
            raise ConfigurationError(
                f"strategy {definition.strategy.name!r} optimises one objective, but the study has "
                f"{len(goal.objectives)}; name one with --objective, or choose one that can do several: "
                f"{', '.join(_strategies_for_several())}"
            )
        problem = Problem(cascade.space, goal, definition.budget.trials, definition.seed, cascade.identity)
        spec = definition.strategy
        start = getattr(parse_shared_options(component, spec.name, spec.options), "start", ())
        return warm_started(component(problem, options), start, f"{spec.name}.start")


def with_task(definition: StudyDefinition, known: Registry | None = None) -> StudyDefinition:
    """Return ``definition`` with the task that ``auto``, or the short form ``NAME:VALUE``, stands for."""
    found = known or registry()
    if definition.task.name != AUTO_TASK:
        return definition.model_copy(update={"task": written_out(definition.task, found)})
    is_needed = any(found.load("evaluator", spec.name).needs_task for spec in definition.evaluators)
    task = ComponentSpec(name="digits" if is_needed else "none", options=definition.task.options)
    return definition.model_copy(update={"task": task})


def written_out(task: ComponentSpec, known: Registry) -> ComponentSpec:
    """Return ``task`` with the option that a short form ``NAME:VALUE`` sets, where ``NAME`` is a task that has one."""
    name, colon, value = task.name.partition(":")
    if not colon or name not in known.names("task"):
        return task
    option = known.load("task", name).shorthand
    return ComponentSpec(name=name, options={**task.options, option: value}) if option else task


def _stage(name: str, evaluator: Evaluator, space: SearchSpace[Any]) -> Stage:
    """Return the stage of an evaluator, with what its options ask for beside `keep`; `ConfigurationError` if wrong."""
    options = evaluator.options
    variants = chosen_variants(getattr(options, "variants", ()), space, f"{name}.variants")
    rules = [Condition.parse(text) for text in getattr(options, "reject", ())]
    distinct = getattr(options, "distinct", None)
    return Stage(name, evaluator, rules_in(rules, variants), None, distinct, variants)


def _keep(stage: Stage, earlier: Sequence[Stage], task: Task) -> Keep | None:
    """Return the rule that keeps the best of a generation, where the options of the stage's evaluator ask for one."""
    name, options = stage.name, stage.evaluator.options
    share: float | None = getattr(options, "keep", None)
    if share is None:
        return None
    own = stage.metrics(task)
    if not own and options.keep_by is None:
        raise ConfigurationError(f"evaluator {name!r} declares no metric to keep the best by; name one: {name}.keep_by")
    metric = own[0].name if options.keep_by is None else options.keep_by
    directions = {each.name: each.direction for one in (*earlier, stage) for each in one.metrics(task)}
    return Keep(
        metric, directions.get(metric, "max"), share, options.keep_of
    )  # an unknown one is refused with the goal


def _strategies_for_several() -> list[str]:
    """Return the installed strategies that can do several objectives; one that cannot be imported is left out."""
    found = []
    for name in registry().names("strategy"):
        with contextlib.suppress(ConfigurationError, PluginError):
            found += [name] if registry().load("strategy", name).is_multi_objective else []
    return found


def _specs(definition: StudyDefinition) -> list[tuple[Kind, ComponentSpec]]:
    return [
        ("space", definition.space),
        ("strategy", definition.strategy),
        ("task", definition.task),
        *(("evaluator", spec) for spec in definition.evaluators),
        *(("tracker", spec) for spec in definition.trackers),
    ]
