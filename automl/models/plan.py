"""What a retraining is to do: which architectures, on which data, by which evaluator, with which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from automl.architecture import Architecture
from automl.definition import ComponentSpec, Execution, StudyDefinition
from automl.environment import check_unchanged
from automl.errors import ConfigurationError, TaskError, UsageError
from automl.evaluator import Candidate, Evaluator, EvaluatorOptions
from automl.models.joined import final_task
from automl.models.record import ModelRecord, TaskFacts
from automl.models.trained import make_space
from automl.models.trainer import Trainer
from automl.options import parse_options
from automl.plugins import registry
from automl.runner import slots_of
from automl.space import SearchSpace
from automl.study import Study
from automl.task import Split, Task

NO_DATA = "none"


@dataclass(frozen=True)
class Plan:
    """Everything that a retraining needs, checked; nothing is written yet.

    Attributes:
        study: where the architectures are from.
        trials: their numbers.
        seeds: of the trainings; each architecture is trained once with each.
        space: that builds them.
        task: with its test split: this is the one place where it is unsealed.
        task_spec: its name and options.
        name: of the evaluator that trains.
        trainer: the evaluator.
        device: torch device.
        threads: CPU threads.
        replaces: whether models that were trained with other settings are replaced.
    """

    study: Study
    trials: tuple[int, ...]
    seeds: tuple[int, ...]
    space: SearchSpace[Any]
    task: Task
    task_spec: ComponentSpec
    name: str
    trainer: Trainer
    device: str
    threads: int
    replaces: bool = False

    @cached_property
    def final(self) -> Task:
        """The task of the training: train and validation are its training split, and there is no other."""
        return final_task(self.task)

    @cached_property
    def test(self) -> tuple[Split | None, str]:
        """The test split, or ``None`` and why there is none."""
        try:
            split = self.task.split("test")
        except TaskError as error:
            return None, str(error)
        return (split, "") if len(split) else (None, "it is empty")

    @property
    def epochs(self) -> int | None:
        """Steps that the trainer will report, where its options say so."""
        found = getattr(self.trainer_options, "epochs", None)
        return found if isinstance(found, int) else None

    @property
    def trainer_options(self) -> Any:
        """The validated options of the trainer."""
        assert isinstance(self.trainer, Evaluator)
        return self.trainer.options

    def architecture(self, trial: int) -> Architecture:
        """Return the architecture of a trial."""
        return self.study.trial(trial).architecture

    def candidate(self, trial: int) -> Candidate:
        """Return what the trainer is given."""
        return Candidate(self.space, self.architecture(trial))

    def task_facts(self) -> TaskFacts:
        """Return what a model has to know of the task."""
        task, spec = self.task, self.task_spec
        return TaskFacts(
            name=spec.name,
            options=spec.options,
            digest=task.digest(),
            input_shape=task.input_shape,
            output_size=task.output_size,
            kind=task.task_kind,
            output_scale=task.output_scale,
            class_names=task.classes,
        )

    def differences(self, record: ModelRecord) -> list[str]:
        """Return in what a finished model was trained otherwise than this plan would; empty where it is the same."""
        if record.training.evaluator != self.name:
            return [f"by {record.training.evaluator}, not {self.name}"]
        if record.task.digest != self.task.digest():
            return [f"on the data of {record.task.name}, which differ from those of {self.task_spec.name} here"]
        now, before = shown_options(self.trainer_options), record.training.options
        return [
            f"{self.name}.{name} = {before[name]}, not {now[name]}"
            for name in now
            if name in before and before[name] != now[name]
        ]


def plan_of(
    study: Study,
    definition: StudyDefinition,
    *,
    trials: tuple[int, ...],
    seeds: tuple[int, ...],
    replaces: bool = False,
) -> Plan:
    """Return the checked plan for retraining ``trials`` of ``study``.

    Args:
        study: the study.
        definition: its definition, with other options, another evaluator, task or device where these are wanted.
        trials: numbers of trials.
        seeds: of the trainings.
        replaces: see `Plan`.

    Raises:
        UsageError: no evaluator trains, the task has no data, or a trial is not there.
        ConfigurationError: something does not fit, or the data have changed since the study began.
    """
    if definition.space != study.definition.space:
        raise UsageError(
            "the space of a study cannot be changed: its architectures are of that space; drop the setting"
        )
    for trial in trials:
        study.trial_record(trial)
    name, trainer = _trainer(study, definition)
    task = _task(study, definition)
    space = make_space(definition.space)
    space.check(task)
    trainer.check(space)
    _check_data(study, definition.task, task)
    devices = definition.execution.devices[:1]
    slots = slots_of(Execution(devices=devices, threads=definition.execution.threads))
    assert isinstance(trainer, Trainer)
    return Plan(
        study=study,
        trials=trials,
        seeds=seeds,
        space=space,
        task=task,
        task_spec=definition.task,
        name=name,
        trainer=trainer,
        device=slots.devices[0],
        threads=slots.threads,
        replaces=replaces,
    )


def trains(name: str) -> bool:
    """Say whether the evaluator ``name`` is a `Trainer`; raises `ConfigurationError` when it is not installed."""
    return issubclass(registry().load("evaluator", name), Trainer)


def trainer_name(definition: StudyDefinition) -> str | None:
    """Return the last evaluator of ``definition`` that can train for good, if there is one."""
    return next((spec.name for spec in reversed(definition.evaluators) if trains(spec.name)), None)


def with_epochs(definition: StudyDefinition, epochs: int) -> StudyDefinition:
    """Return ``definition`` with that many epochs for its trainer; raises `UsageError` when it has no such option."""
    name = trainer_name(definition)
    if name is None:
        return definition  # the plan says what is missing
    if "epochs" not in registry().load("evaluator", name).Options.model_fields:
        raise UsageError(f"--epochs: evaluator {name!r} has no such option; see `automl describe evaluator {name}`")
    specs = [
        spec.model_copy(update={"options": {**spec.options, "epochs": epochs}}) if spec.name == name else spec
        for spec in definition.evaluators
    ]
    return definition.model_copy(update={"evaluators": tuple(specs)})


def shown_options(options: Any) -> dict[str, Any]:
    """Return the options of a trainer as JSON has them, without those that only a search looks at."""
    found: Mapping[str, Any] = options.model_dump(mode="json", exclude=set(EvaluatorOptions.model_fields))
    return dict(found)


def _trainer(study: Study, definition: StudyDefinition) -> tuple[str, Evaluator]:
    name = trainer_name(definition)
    if name is None:
        found = ", ".join(spec.name for spec in definition.evaluators)
        task = " --task digits" if definition.task.name == NO_DATA else ""
        raise UsageError(
            f"no evaluator of study {study.name!r} trains networks ({found}); "
            f"name one that does, for example: --evaluator train{task}"
        )
    spec = next(spec for spec in definition.evaluators if spec.name == name)
    component = registry().load("evaluator", name)
    trainer: Evaluator = component(parse_options(component, name, spec.options))
    return name, trainer


def _task(study: Study, definition: StudyDefinition) -> Task:
    spec = definition.task
    if spec.name == NO_DATA:
        raise UsageError(
            f"study {study.name!r} has no data to train on (task {spec.name!r}); "
            "name a task that has, for example: --task digits"
        )
    component = registry().load("task", spec.name)
    task: Task = component(parse_options(component, spec.name, spec.options))
    return task


def _check_data(study: Study, spec: ComponentSpec, task: Task) -> None:
    """Refuse other data than the search's under the same name: a new draw would test on what the search has seen."""
    key = f"task {spec.name}"
    before = study.record.components.get(key)
    if before is None:
        return
    if before.get("digest") != task.digest() and spec.options != study.definition.task.options:
        raise ConfigurationError(
            f"with these options task {spec.name!r} has other data or another division than study {study.name!r}, "
            "so that its test split could hold what the search has seen; leave the task as it was"
        )
    registration = registry().find("task", spec.name)
    check_unchanged(study.name, {key: before}, {key: {"version": registration.version, "digest": task.digest()}})
