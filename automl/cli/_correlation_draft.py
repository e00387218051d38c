"""From a study file and flags to one correlation. Flags win, and a mistake is reported where it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from automl.cli._draft import Draft, check_components, draft_of, put_setting
from automl.cli._flags import Flags
from automl.correlation.definition import BASELINES, FORM, PROXIES, in_order, parse_correlation, prepared_correlation
from automl.correlation.run import scoring
from automl.definition import Correlation, DefinitionError, StudyDefinition, parse_definition
from automl.errors import ConfigurationError, UsageError
from automl.recipe import AUTO_TASK
from automl.runner import Prepared
from automl.study import Study
from automl.studyfile import StudyFile

SAMPLE = 100
MEASURED_BY = "train"


@dataclass(frozen=True, kw_only=True)
class CorrelationFlags:
    """What the flags say about a correlation beyond its study; ``None`` and empty mean "not given"."""

    proxies: Sequence[str] = ()
    metric: str | None = None
    finished: str | None = None
    aggregates: Sequence[str] = ()
    precision_at: str | None = None
    resamples: int | None = None
    is_typed: bool = False
    """Whether it was given to `automl correlate`, which calls the name NAME and the trials a sample."""


def correlation_draft(file: StudyFile | None, flags: Flags, chosen: CorrelationFlags) -> Draft:
    """Return the values of ``file``, or else the defaults, with those of the flags in their place."""
    base = parse_correlation({FORM: {}, "budget": {"trials": SAMPLE}}) if file is None else file.correlation
    names = _evaluator_names(base, flags.evaluators, chosen, has_file=file is not None)
    budget = {"trials": flags.trials or base.budget.trials, "time": base.budget.time}
    draft = draft_of(file, replace(flags, evaluators=names, settings=()), base)
    draft.values["budget"] = budget
    if chosen.is_typed:
        draft.put(("name",), flags.study, f"NAME {flags.study}")
        draft.put(("budget", "trials"), flags.trials, f"--sample {flags.trials}")
    draft.values[FORM] = draft.values[FORM] or Correlation().model_dump()
    if flags.task is None and flags.data is None and (file is None or "task" not in file.values):
        draft.values["task"] = {"name": AUTO_TASK, "options": draft.values["task"]["options"]}
    _put_proxies(draft, chosen.proxies)
    put_settings(draft, chosen)
    for text in flags.settings:
        put_setting(draft, text)
    return draft


def prepared_draft(draft: Draft, finished: Study | None = None) -> Prepared:
    """Return the checked components of the correlation that ``draft`` defines; nothing is written.

    ``finished`` is a study whose architectures are scored.

    Raises:
        AutomlError: something is wrong; the message starts with the flag or with ``file:line:``.
    """
    try:
        definition = parse_correlation(draft.values)
    except DefinitionError as error:
        raise draft.located(error, error.path) from error
    check_components(draft, dict(definition))
    try:
        if finished is not None:
            definition = scoring(definition, finished)
        return prepared_correlation(definition)
    except (ConfigurationError, UsageError) as error:
        raise draft.located(error, error.path if isinstance(error, DefinitionError) else ()) from error


def reported_settings(known: Correlation, chosen: CorrelationFlags) -> Correlation:
    """Return the settings of a report, with the flags in their place; raises `UsageError` or `ConfigurationError`."""
    draft = Draft(None, {FORM: known.model_dump()})
    put_settings(draft, chosen)
    try:
        definition = parse_definition(draft.values)
    except DefinitionError as error:
        raise draft.located(error, error.path) from error
    check_components(draft, dict(definition))
    return definition.correlation or known


def put_settings(draft: Draft, chosen: CorrelationFlags) -> None:
    """Put what the report shows."""
    sizes = None if chosen.precision_at is None else tuple(chosen.precision_at.split(","))
    aggregates = tuple({"name": name, "options": {}} for name in chosen.aggregates)
    draft.put((FORM, "metric"), chosen.metric, f"--metric {chosen.metric}")
    draft.put((FORM, "precision_at"), sizes, f"--precision-at {chosen.precision_at}")
    draft.put((FORM, "resamples"), chosen.resamples, f"--resamples {chosen.resamples}")
    draft.put((FORM, "aggregates"), aggregates, " ".join(f"--aggregate {name}" for name in chosen.aggregates))
    if chosen.metric is not None:
        draft.values["objectives"] = ()


def _evaluator_names(
    base: StudyDefinition, given: Sequence[str], chosen: CorrelationFlags, *, has_file: bool
) -> tuple[str, ...]:
    """Return the evaluators in order, that of proxies among them if any is chosen."""
    default = [spec.name for spec in base.evaluators] if has_file else [PROXIES, MEASURED_BY]
    if chosen.finished is not None and not has_file:
        default = []
    names = list(given) or default
    return in_order(names) if chosen.proxies else tuple(names)


def _put_proxies(draft: Draft, names: Sequence[str]) -> None:
    """Choose the proxies; one that the file has keeps its options."""
    if not names:
        return
    place = next(place for place, spec in enumerate(draft.values["evaluators"]) if spec["name"] == PROXIES)
    spec = draft.values["evaluators"][place]
    there = spec["options"].get("proxies", ())
    known: dict[str, Any] = {each["name"]: each for each in there if isinstance(each, dict)}
    asked = dict.fromkeys((*names, *BASELINES))
    options = {**spec["options"], "proxies": [known.get(name, name) for name in asked]}
    draft.values["evaluators"][place] = {"name": PROXIES, "options": options}
    flags = " ".join(f"--proxy {name}" for name in names)
    draft.sources["evaluators", place] = flags
