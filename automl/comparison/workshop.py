"""What the studies of a comparison share in one process: components are found, built and checked once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from threadpoolctl import threadpool_limits

from automl.cascade import Cascade
from automl.comparison.comparison import Member
from automl.comparison.definition import ComparisonDefinition
from automl.definition import ComponentSpec, DefinitionError, StudyDefinition
from automl.engine import Stopper
from automl.environment import check_unchanged, component_versions, environment
from automl.errors import AutomlError, ConfigurationError, ExitCode, unknown_name
from automl.objectives import Objective
from automl.options import parse_options
from automl.plugins import registry
from automl.runner import Prepared, prepare, run
from automl.storage.database import Durability
from automl.storage.records import NewStudy
from automl.storage.store import Store
from automl.study import Study, StudyState
from automl.tracker import Tracker

_WORDS = {"max": "high", "min": "low"}


class StudyFailed(AutomlError):
    """A study of a comparison could not go on; the message names it. The exit code is that of its own error."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(frozen=True)
class Workshop:
    """The components of a comparison, checked; nothing is written yet.

    Attributes:
        definition: with its objectives, task and number of threads filled in.
        prepared: of each label, a study with seed 0. Those that have the same problem have the same cascade.
        versions: of each label, the versions of its components.
        trackers: who is told when the comparison is over.
    """

    definition: ComparisonDefinition
    prepared: Mapping[str, Prepared]
    versions: Mapping[str, Mapping[str, Any]]
    trackers: tuple[Tracker, ...] = ()

    @classmethod
    def of(cls, definition: ComparisonDefinition, *, without_trackers: Collection[str] = ()) -> Workshop:
        """Find, build and check every component; raises `ConfigurationError` or `PluginError`."""
        base = definition.base
        # Linear algebra may round differently with another number of threads, so that it is part of the definition.
        execution = base.execution.model_copy(update={"threads": base.execution.threads or 1})
        definition = replace(definition, base=base.model_copy(update={"execution": execution}))
        prepared = _prepared(definition)
        original = next(iter(prepared.values()))
        versions = {label: component_versions(each.definition, each.cascade) for label, each in prepared.items()}
        trackers = tuple(_tracker(spec) for spec in base.trackers if spec.name not in without_trackers)
        found = cls(replace(definition, base=_completed(definition, original)), prepared, versions, trackers)
        _check_report(found)
        return found

    @property
    def durability(self) -> Durability:
        """``normal`` for look-ups, of which a loss of power costs seconds, else ``full``."""
        return "full" if any(each.cascade.needs_task for each in self.prepared.values()) else "normal"

    def new_studies(self) -> list[NewStudy]:
        """Return the studies to write, in the order in which they run."""
        plain = {label: each.definition.model_dump(mode="json") for label, each in self.prepared.items()}
        budgets = {label: each.definition.budget for label, each in self.prepared.items()}
        machine, name = environment(), self.definition.study_name
        return [
            NewStudy(
                name(strategy.label, seed),
                {**plain[strategy.label], "seed": seed, "name": name(strategy.label, seed)},
                self.versions[strategy.label],
                machine,
                budgets[strategy.label].trials,
                budgets[strategy.label].time,
            )
            for strategy, seed in self.definition.plan()
        ]

    def check_unchanged(self, store: Store, member: Member) -> None:
        """Refuse data that are not those with which the study was made."""
        record = store.study(member.study)
        check_unchanged(member.study, record.components, self.versions[member.strategy.label])

    def run(self, store: Store, member: Member, stopper: Stopper) -> StudyState:
        """Run or continue one study to its end, or until ``stopper`` is requested, and return its state.

        Raises:
            StudyFailed: it cannot go on.
        """
        study = Study(store, member.study)
        prepared = self.prepared[member.strategy.label]
        threads = self.definition.base.execution.threads
        try:
            recipe = prepared.recipe.of_sibling(study.definition)
            with threadpool_limits(threads):
                return run(study, replace(prepared, recipe=recipe), stopper=stopper)
        except AutomlError as error:
            raise StudyFailed(f"study {member.study}: {error}", ExitCode(error.exit_code)) from error


def _prepared(definition: ComparisonDefinition) -> dict[str, Prepared]:
    """Return a study of each label; raises `ConfigurationError` when they have not all the same objectives."""
    made: dict[str, Prepared] = {}
    originals: list[tuple[dict[str, Any], Prepared]] = []
    for strategy in definition.settings.strategies:
        study = definition.study(strategy, 0)
        original = next((found for own, found in originals if own == strategy.own), None)
        if original is None:
            original = prepare(study)
            originals.append((strategy.own, original))
            made[strategy.label] = original
        else:
            recipe = original.recipe.of_sibling(study)
            recipe.strategy(original.cascade)
            made[strategy.label] = replace(original, recipe=recipe)
    first, goal = next((label, each.definition.objectives) for label, each in made.items())
    for label, each in made.items():
        if each.definition.objectives != goal:
            raise ConfigurationError(
                f"{first!r} is after {', '.join(goal)} and {label!r} after {', '.join(each.definition.objectives)}; "
                "name one objective for all"
            )
    return made


def _completed(definition: ComparisonDefinition, prepared: Prepared) -> StudyDefinition:
    """Return the base with what the definition leaves open and the components decide."""
    found = prepared.definition
    return definition.base.model_copy(update={"objectives": found.objectives, "task": found.task})


def _tracker(spec: ComponentSpec) -> Tracker:
    component = registry().load("tracker", spec.name)
    tracker: Tracker = component(parse_options(component, spec.name, spec.options))
    return tracker


def _check_report(workshop: Workshop) -> None:
    """Check what only a comparison asks of the evaluators."""
    for prepared in workshop.prepared.values():
        own = replace(workshop.definition, base=prepared.definition)
        _check_report_of(own, prepared.cascade)


def _check_report_of(definition: ComparisonDefinition, cascade: Cascade) -> None:
    base, settings = definition.base, definition.settings
    if base.budget.time is not None and cascade.simulated_time() is None:
        raise DefinitionError(
            "`budget.time`: a comparison's studies answer each other, so that seconds on the clock would not be fair; "
            "give a budget in trials, or an evaluator that reports simulated time",
            ("budget", "time"),
        )
    if settings.report is None:
        return
    declared = cascade.declared()
    if settings.report not in declared:
        raise ConfigurationError(unknown_name("metric to report", settings.report, declared))
    objective = Objective.parse(base.objectives[0])
    if declared[settings.report].direction != objective.direction:
        raise ConfigurationError(
            f"metric to report {settings.report!r} is to be {_WORDS[declared[settings.report].direction]}, but the "
            f"objective {objective.metric!r} {_WORDS[objective.direction]}; report one that goes the objective's way"
        )
