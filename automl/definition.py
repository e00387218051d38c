"""The study definition: everything that makes a study what it is, validated once, at the door, and then frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from automl.conditions import Condition
from automl.errors import ConfigurationError, unknown_name
from automl.objectives import Goal, Objective

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SIZE = re.compile(r"\d+(\.\d+)?%|\d+")
EvaluationSeeds = Literal["shared", "study", "trial"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class ComponentSpec(_Part):
    """A component by name, with the options that differ from its defaults."""

    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Accept ``"name"`` and ``{"name": ..., option: value}`` as study files write them."""
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and not isinstance(value.get("options"), dict):
            return {
                "name": value.get("name", ""),
                "options": {option: found for option, found in value.items() if option != "name"},
            }
        return value


class Budget(_Part):
    """When a study ends: at the first of these to be spent."""

    trials: Annotated[int, Field(ge=1, strict=True)] | None = None
    """Trials; repeats of the study's own trials are free unless `count_duplicates`."""
    time: Annotated[float, Field(gt=0, strict=True)] | None = None
    """Seconds of searching, added up over interruptions; what is running then is finished. Where an evaluator reports
    the time that a benchmark table simulates, that time is counted instead of the clock's."""


class Execution(_Part):
    """Where and how evaluations run. It may be changed when a study is resumed."""

    executor: ComponentSpec | None = None
    """Name of the executor; by default `in_process`, or `process_pool` for several workers, a timeout or a memory
    limit."""
    workers: Annotated[int, Field(ge=1, le=1024, strict=True)] = 1
    """Evaluations at a time; by default one per named device."""
    devices: tuple[str, ...] = ()
    """Torch devices, shared out to the workers in turn; by default every CUDA device, else
    Apple's, else the CPU."""
    threads: Annotated[int, Field(ge=1, strict=True)] | None = None
    """CPU threads of each worker; by default the cores but one, shared out equally."""
    timeout: Annotated[float, Field(gt=0, strict=True)] | None = None
    """Seconds after which a trial fails."""
    memory_limit: Annotated[float, Field(gt=0, strict=True)] | None = None
    """MiB of main memory that a worker may use, torch itself (about 400) included."""

    deterministic: bool = False
    """Tell results in the order of proposals, with at most `workers` on their way, so that a parallel study repeats."""

    @model_validator(mode="before")
    @classmethod
    def _one_worker_per_device(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("devices") and "workers" not in value:
            return {**value, "workers": len(value["devices"])}
        return value


class Correlation(_Part):
    """What is reported of a study that asks how well scores rank architectures (`automl correlate`)."""

    metric: Annotated[str, Field(min_length=1)] | None = None
    """Metric with which every other one is compared; by default the objective, or what the last evaluator reports
    first."""
    study: Annotated[str, Field(min_length=1)] | None = None
    """Study of the same store that has the metric, where this one only scores its architectures."""
    aggregates: tuple[ComponentSpec, ...] = ()
    """Aggregators, each of which makes one score of the others over the whole sample."""
    precision_at: Annotated[tuple[str, ...], Field(min_length=1)] = ("5%", "10%", "25%")
    """How many of the best are looked for among the best: shares of the sample, or numbers."""
    resamples: Annotated[int, Field(ge=100, le=100_000, strict=True)] = 1_000
    """Resamples of the bootstrap over architectures."""

    @field_validator("precision_at", mode="before")
    @classmethod
    def _sizes(cls, value: Any) -> Any:
        """Accept ``10`` for ``"10"``, and refuse what is neither a share nor a number."""
        if not isinstance(value, list | tuple):
            return value
        sizes = [str(size).replace(" ", "") for size in value]
        for size in sizes:
            if not _SIZE.fullmatch(size) or not 0 < float(size.rstrip("%")) <= (100 if size.endswith("%") else 1e9):
                raise ValueError(f"cannot read {size!r}; write a share as '10%', or a number from 1 as '20'")
        return tuple(dict.fromkeys(sizes))


class StudyDefinition(_Part):
    """A study as a user defines it, with flags or in a TOML file."""

    name: Annotated[str, Field(max_length=200)] | None = None
    """Name of the study: letters, digits, dots, dashes, underscores; made from space and strategy by default."""
    project: Annotated[str, Field(min_length=1)] = "automl"
    """Name under which trackers group studies (the MLflow experiment)."""
    space: ComponentSpec = ComponentSpec(name="nas_cell")
    strategy: ComponentSpec = ComponentSpec(name="sep_crossover")
    task: ComponentSpec = ComponentSpec(name="auto")
    """By default `auto`: `digits`, or `none`, which has no data, when no evaluator looks at a task."""
    evaluators: Annotated[tuple[ComponentSpec, ...], Field(min_length=1)] = (
        ComponentSpec(name="cost"),
        ComponentSpec(name="train"),
    )
    objectives: tuple[str, ...] = ()
    """As `val_accuracy:max`; by default what the last evaluator reports first."""
    constraints: tuple[str, ...] = ()
    """As `params <= 5e5`; a candidate that violates one is rejected as soon as the metric is known."""
    reference: dict[str, Annotated[float, Field(allow_inf_nan=False)]] | None = None
    """The worst value of each objective that counts in the hypervolume, in the metric's own unit; without it none is
    reported."""
    budget: Budget = Budget(trials=50)
    execution: Execution = Execution()
    trackers: tuple[ComponentSpec, ...] = (ComponentSpec(name="mlflow"),)
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] = 0
    """Seed of every proposal."""
    evaluation_seeds: EvaluationSeeds = "shared"
    """Seed of an evaluation: the same in all studies (so results are shared), one per study, or one per trial."""
    count_duplicates: bool = False
    """Whether a repeat of an architecture that this study has already tried consumes budget."""
    max_attempts: Annotated[int, Field(ge=1, strict=True)] = 3
    """How often a trial is started again after the engine died under it."""
    correlation: Correlation | None = None
    """What is reported of a correlation; `automl correlate` makes such studies."""

    @model_validator(mode="after")
    def _consistent(self) -> StudyDefinition:
        if self.name is not None and not _NAME.fullmatch(self.name):
            raise ValueError(f"study name {self.name!r} must be letters, digits, dots, dashes and underscores")
        if self.budget.trials is None and self.budget.time is None:
            raise ValueError("`budget` needs `trials` or `time`")
        names = [spec.name for spec in self.evaluators]
        if len(set(names)) < len(names):
            raise ValueError(f"an evaluator is named twice in `evaluators`: {', '.join(names)}")
        for text in self.objectives:
            _checked(Objective.parse, text)
        for text in self.constraints:
            _checked(Condition.parse, text)
        if self.reference is not None:
            _check_reference(self.reference, [Objective.parse(text).metric for text in self.objectives])
        return self

    def goal(self, default_objective: str) -> Goal:
        """Return the parsed objectives and constraints."""
        objectives = tuple(Objective.parse(text) for text in self.objectives or (default_objective,))
        return Goal(
            objectives,
            tuple(Condition.parse(text) for text in self.constraints),
            tuple(self.reference[objective.metric] for objective in objectives) if self.reference else (),
        )


class DefinitionError(ConfigurationError):
    """A definition is wrong at `path`, the keys that lead to the place."""

    def __init__(self, message: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(message)
        self.path = path


def parse_definition(values: dict[str, Any]) -> StudyDefinition:
    """Return the validated definition; raises `DefinitionError` with the path of the first mistake."""
    try:
        return StudyDefinition.model_validate(values)
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
        path = tuple(part for part in error["loc"])
        raise DefinitionError(_explain(error, path), path) from None


def _explain(error: Any, path: tuple[str | int, ...]) -> str:
    where = ".".join(str(part) for part in path)
    if error["type"] == "extra_forbidden":
        models: dict[str, type[_Part]] = {"budget": Budget, "execution": Execution, "correlation": Correlation}
        model: type[_Part] = models.get(str(path[0]) if len(path) > 1 else "", StudyDefinition)
        what = "setting of a study" if model is StudyDefinition else f"setting in {path[0]}"
        return unknown_name(what, str(path[-1]), model.model_fields)
    message = str(error["msg"]).removeprefix("Value error, ")
    if not where:
        return message
    return f"`{where}`: {message[0].lower()}{message[1:]}, but got {error['input']!r}"


def _check_reference(reference: Mapping[str, float], metrics: Sequence[str]) -> None:
    """Raise `ValueError` unless the reference point has a value for each of several objectives, and no other."""
    if len(metrics) < 2:
        raise ValueError(
            "`reference` is for several objectives; name at least two, as `val_accuracy:max`, or remove it"
        )
    if sorted(reference) != sorted(metrics):
        found = ", ".join(reference) or "nothing"
        raise ValueError(
            f"`reference` needs one value for each of {', '.join(metrics)}, but names {found}; "
            "give `--reference METRIC=VALUE` once for each"
        )


def _checked(parse: Any, text: str) -> None:
    try:
        parse(text)
    except ConfigurationError as error:
        raise ValueError(str(error)) from None
