"""The definition of a comparison: one problem, several strategies, several seeds; validated once, at the door.

It has the fields of a study's definition but for `strategy` and `seed`, and one part more:

    [comparison]
    seeds = 50

    [[comparison.strategies]]
    name = "sep_crossover"

Each strategy runs once with each of the seeds 0, 1, 2, ... Random search is always among them: what it reaches is what
the budget alone is worth. An arm may also have a space, evaluators or constraints of its own, so that spaces can be
compared; what the budget is worth then depends on the arm, and nothing is added. An arm of which a trial costs more may
have a smaller budget.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from automl.definition import Budget, ComponentSpec, DefinitionError, StudyDefinition, parse_definition
from automl.errors import unknown_name

CONTROL = "random_search"

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")
_USUAL = (20, 50, 100, 150, 200, 500, 1_000, 2_000, 5_000, 10_000)
_REPORT_ONLY = ("checkpoints", "target", "report", "against")
_NAME_LENGTH = 200
_OF_ARM = ("space", "evaluators", "constraints", "budget")
_OF_PROBLEM = ("space", "evaluators", "constraints")


class ComparedStrategy(BaseModel):
    """A strategy in a comparison: a component, and what it is called there."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    name: Annotated[str, Field(min_length=1)]
    """Name of the strategy, or `package.module:Class`."""
    label: str
    """Its name in tables, pictures and studies; by default the strategy's. It tells variants of one strategy apart."""
    options: dict[str, Any] = {}
    """Options that differ from the strategy's defaults; in a file they stand beside `name`."""
    space: ComponentSpec | None = None
    """Space of this arm alone; by default the comparison's."""
    evaluators: Annotated[tuple[ComponentSpec, ...], Field(min_length=1)] | None = None
    """Evaluators of this arm alone; by default the comparison's. They must report the same objective."""
    constraints: tuple[str, ...] | None = None
    """Constraints of this arm alone; by default the comparison's."""
    budget: Budget | None = None
    """Budget of this arm alone, at most the comparison's trials; by default the comparison's. For arms of which a trial
    costs more than another's."""

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        """Accept ``"name"`` and ``{"name": ..., "label": ..., option: value}`` as study files write them.

        ``space``, ``evaluators``, ``constraints`` and ``budget`` are the arm's; a strategy's option of such a name
        stands in ``options``.
        """
        if isinstance(value, str):
            value = {"name": value}
        if not isinstance(value, dict):
            return value
        name = value.get("name", "")
        label = value.get("label") or str(name).rpartition(":")[2]
        options = value.get("options")
        if not isinstance(options, dict):
            options = {option: found for option, found in value.items() if option not in ("name", "label", *_OF_ARM)}
        own = {key: value[key] for key in _OF_ARM if key in value}
        return {"name": name, "label": label, "options": options, **own}

    @property
    def spec(self) -> ComponentSpec:
        """The component alone."""
        return ComponentSpec(name=self.name, options=self.options)

    @property
    def own(self) -> dict[str, Any]:
        """What the arm has in place of the comparison's: fields of a `StudyDefinition`."""
        return {key: getattr(self, key) for key in _OF_ARM if getattr(self, key) is not None}

    @property
    def has_own_problem(self) -> bool:
        """Whether what is searched, or how it is measured, is the arm's own."""
        return any(getattr(self, key) is not None for key in _OF_PROBLEM)


class ComparisonSettings(BaseModel):
    """What a comparison has beyond a study: the table `[comparison]` of a study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    strategies: Annotated[tuple[ComparedStrategy, ...], Field(min_length=1)]
    """The strategies; `random_search` is added when it is not named, and no strategy has a space, evaluators or
    constraints of its own; of a smaller budget it keeps the best to the end."""
    seeds: Annotated[int, Field(ge=1, le=100_000, strict=True)] = 10
    """How many seeds: 0, 1, 2, ... Each strategy runs once with each."""
    checkpoints: tuple[Annotated[int, Field(ge=1, strict=True)], ...] = ()
    """Evaluations after which strategies are compared; by default usual ones, and always the end."""
    target: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """Value of the objective for which the evaluations to reach it are counted."""
    report: str | None = None
    """Metric of the incumbent that is reported; by default the objective, which alone chooses the incumbent."""
    against: str | None = None
    """Label of the strategy with which the others are compared; by default that of `random_search`, else the first."""

    @field_validator("strategies")
    @classmethod
    def _with_control(cls, strategies: tuple[ComparedStrategy, ...]) -> tuple[ComparedStrategy, ...]:
        is_enough = any(each.name == CONTROL or each.has_own_problem for each in strategies)
        return strategies if is_enough else (*strategies, ComparedStrategy(name=CONTROL, label=CONTROL))

    @model_validator(mode="after")
    def _consistent(self) -> ComparisonSettings:
        labels = [each.label for each in self.strategies]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise ValueError(
                f"two strategies are called {twice!r}; give each a label of its own, as `--strategy LABEL=NAME` "
                "or as `label` in a file"
            )
        for label in labels:
            if not _LABEL.fullmatch(label):
                raise ValueError(f"label {label!r} must be letters, digits, dashes, underscores and plus signs")
        return self

    @property
    def control(self) -> str:
        """The label of random search, else of the first strategy."""
        return next((each.label for each in self.strategies if each.name == CONTROL), self.strategies[0].label)


@dataclass(frozen=True)
class ComparisonDefinition:
    """A comparison as a user defines it, with flags or in a TOML file.

    Attributes:
        base: all that its studies share; its strategy, seed and name mean nothing.
        settings: strategies, seeds, and what the report shows.
        name: of the comparison; made from the space by default.

    >>> definition = parse_comparison({"comparison": {"strategies": ["tpe"], "seeds": 3}, "budget": {"trials": 80}})
    >>> definition.labels, definition.checkpoints
    (('tpe', 'random_search'), (20, 50, 80))
    """

    base: StudyDefinition
    settings: ComparisonSettings
    name: str | None = None

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels of the strategies, in order."""
        return tuple(each.label for each in self.settings.strategies)

    @property
    def spaces(self) -> tuple[str, ...]:
        """The names of the spaces that are searched, in order; one unless strategies have spaces of their own."""
        return tuple(dict.fromkeys((each.space or self.base.space).name for each in self.settings.strategies))

    @property
    def checkpoints(self) -> tuple[int, ...]:
        """Evaluations after which strategies are compared, ascending; empty until known for a budget in time."""
        trials = self.base.budget.trials
        return tuple(sorted(set(self.settings.checkpoints))) or default_checkpoints(trials)

    def study(self, strategy: ComparedStrategy, seed: int, name: str | None = None) -> StudyDefinition:
        """Return the definition of one study; only the comparison itself is shown to trackers."""
        changed = {"strategy": strategy.spec, "seed": seed, "name": name, "trackers": ()}
        return self.base.model_copy(update=changed | strategy.own)

    def study_name(self, label: str, seed: int) -> str:
        """Return the name of one study."""
        return f"{self.name}.{label}.{seed}"

    def plan(self) -> list[tuple[ComparedStrategy, int]]:
        """Return every strategy with every seed, seed by seed: what is interrupted has compared all strategies."""
        return [(each, seed) for seed in range(self.settings.seeds) for each in self.settings.strategies]

    def to_json(self) -> dict[str, Any]:
        """Return the values that `parse_comparison` reads."""
        values = self.base.model_dump(mode="json", exclude={"strategy", "seed", "name"})
        return {**values, "name": self.name, "comparison": self.settings.model_dump(mode="json")}

    def differences(self, other: ComparisonDefinition) -> list[str]:
        """Return in which settings ``other`` is another comparison: ``budget.trials is 500 there, not 300``.

        What only the report shows, and to whom, makes no difference.
        """
        own, others = (_flat(_essence(each.to_json())) for each in (self, other))
        return [
            f"`{key}` is {_shown(own.get(key))} there, not {_shown(others.get(key))}"
            for key in sorted(own.keys() | others.keys())
            if own.get(key) != others.get(key)
        ]


def parse_comparison(values: Mapping[str, Any]) -> ComparisonDefinition:
    """Return the validated definition; raises `DefinitionError` with the path of the first mistake."""
    if values.get("correlation") is not None:
        raise DefinitionError("a file defines a comparison or a correlation, not both; remove one", ("correlation",))
    for key, instead in (("strategy", "[[comparison.strategies]]"), ("seed", "comparison.seeds")):
        if key in values:
            raise DefinitionError(f"`{key}`: a comparison has several; name them in `{instead}`", (key,))
    base = parse_definition({name: value for name, value in values.items() if name != "comparison"})
    try:
        settings = ComparisonSettings.model_validate(values.get("comparison", {}))
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
        path = ("comparison", *error["loc"])
        raise DefinitionError(_explain(error, path), path) from None
    definition = ComparisonDefinition(base, settings, base.name)
    _check(definition)
    _check_arms(definition)
    return definition


def default_checkpoints(evaluations: int | None) -> tuple[int, ...]:
    """Return the usual checkpoints within a budget, its end included; of a small budget its quarter and half.

    >>> default_checkpoints(12)
    (3, 6, 12)
    """
    if evaluations is None:
        return ()
    inner = [count for count in _USUAL if count < evaluations] or [evaluations // 4, evaluations // 2]
    return tuple(sorted({count for count in inner if count > 0} | {evaluations}))


def _check(definition: ComparisonDefinition) -> None:
    """Check what concerns the study's part and the comparison's together."""
    settings, trials = definition.settings, definition.base.budget.trials
    if settings.against is not None and settings.against not in definition.labels:
        raise DefinitionError(
            unknown_name("label of a strategy", settings.against, definition.labels), ("comparison", "against")
        )
    beyond = [count for count in settings.checkpoints if trials is not None and count > trials]
    if beyond:
        raise DefinitionError(
            f"`comparison.checkpoints`: {beyond[0]} is beyond the budget of {trials} trials",
            ("comparison", "checkpoints"),
        )
    if definition.name is not None:
        longest = max(len(definition.study_name(label, settings.seeds)) for label in definition.labels)
        if longest > _NAME_LENGTH:
            raise DefinitionError(f"`name`: too long, since studies are called {definition.name}.LABEL.SEED", ("name",))
    if len(definition.base.objectives) < 2:
        return
    if settings.report is not None:
        raise DefinitionError(
            "`comparison.report`: several objectives are reported as their hypervolume; remove it",
            ("comparison", "report"),
        )
    if definition.base.reference is None:
        raise DefinitionError(
            "several objectives are compared by their hypervolume, which needs a `reference` point; declare one, "
            "the worst value of each objective that counts, as `--reference METRIC=VALUE` for each",
            ("objectives",),
        )


def _check_arms(definition: ComparisonDefinition) -> None:
    """Check what strategies have of their own as a study's definition is checked."""
    for place, strategy in enumerate(definition.settings.strategies):
        if not strategy.own:
            continue
        trials = definition.base.budget.trials
        if strategy.budget is not None and trials is not None and (strategy.budget.trials or trials) > trials:
            raise DefinitionError(
                f"strategy {strategy.label!r}: its budget of {strategy.budget.trials} trials is beyond the "
                f"comparison's {trials}; `budget.trials` is the largest of all",
                ("comparison", "strategies", place, "budget", "trials"),
            )
        try:
            parse_definition({**definition.base.model_dump(), **strategy.model_dump(include=set(strategy.own))})
        except DefinitionError as error:
            raise DefinitionError(
                f"strategy {strategy.label!r}: {error}", ("comparison", "strategies", place, *error.path)
            ) from None


def _explain(error: Any, path: tuple[str | int, ...]) -> str:
    where = ".".join(str(part) for part in path)
    if error["type"] == "extra_forbidden":
        return unknown_name("setting in comparison", str(path[-1]), ComparisonSettings.model_fields)
    if path == ("comparison", "strategies") and error["type"] in ("missing", "too_short"):
        return "a comparison needs strategies; name them with --strategy, or in `[[comparison.strategies]]`"
    message = str(error["msg"]).removeprefix("Value error, ")
    if path == ("comparison",):
        return message
    return f"`{where}`: {message[0].lower()}{message[1:]}, but got {error['input']!r}"


def _essence(values: dict[str, Any]) -> dict[str, Any]:
    """Return what makes a comparison's studies what they are."""
    settings = {name: value for name, value in values["comparison"].items() if name not in _REPORT_ONLY}
    return {**{k: v for k, v in values.items() if k not in ("trackers", "comparison", "name")}, "comparison": settings}


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested values by their dotted keys; strategies are found by their labels."""
    if isinstance(values, list) and values and all(isinstance(each, dict) for each in values):
        values = {str(each.get("label") or each.get("name")): each for each in values}
    if not isinstance(values, dict):
        return {prefix: values}
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{prefix}.{name}" if prefix else str(name))
    return found


def _shown(value: Any) -> str:
    return "none" if value is None else repr(value)
