"""From a study file and flags to one comparison. Flags win, and a mistake is reported where it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from automl.cli._draft import Draft, check_components, draft_of, has_own_spaces, put_setting
from automl.cli._flags import Flags
from automl.comparison.definition import ComparisonDefinition, parse_comparison
from automl.comparison.workshop import Workshop
from automl.definition import DefinitionError, StudyDefinition
from automl.errors import ConfigurationError, UsageError
from automl.studyfile import StudyFile, StudyFileError


@dataclass(frozen=True, kw_only=True)
class ComparisonFlags:
    """What the flags say about a comparison beyond its studies; ``None`` and empty mean "not given"."""

    strategies: Sequence[str] = ()
    seeds: int | None = None
    checkpoints: str | None = None
    target: float | None = None
    report: str | None = None
    against: str | None = None
    name_is_argument: bool = False
    """Whether the name was given as the argument of `automl compare`, not by `--study`."""


def comparison_draft(file: StudyFile | None, flags: Flags, chosen: ComparisonFlags) -> Draft:
    """Return the values of ``file``, or else the defaults, with those of the flags in their place."""
    known = None if file is None else file.comparison
    plain = replace(flags, settings=())
    draft = draft_of(file, plain, StudyDefinition() if known is None else known.base)
    draft.values["comparison"] = {"strategies": []} if known is None else known.settings.model_dump()
    if file is not None:
        written = len(file.values["comparison"]["strategies"])  # without the random search that is added behind
        draft.values["comparison"]["strategies"] = list(draft.values["comparison"]["strategies"][:written])
    if chosen.name_is_argument:
        draft.put(("name",), flags.study, f"NAME {flags.study}")
    _put_strategies(draft, chosen.strategies)
    if flags.space is not None and has_own_spaces(draft.values):
        raise UsageError(f"--space {flags.space}: every strategy has a space of its own; change them in the file")
    draft.put(("comparison", "seeds"), chosen.seeds, f"--seeds {chosen.seeds}")
    _put_report(draft, chosen)
    for text in flags.settings:
        put_setting(draft, text)
    return draft


def redefined(definition: ComparisonDefinition, chosen: ComparisonFlags) -> ComparisonDefinition:
    """Return the definition of a comparison that is there, with another report; raises `UsageError`."""
    if chosen.seeds is not None:
        raise UsageError("--seeds: a report covers the seeds that there are")
    draft = Draft(None, definition.to_json())
    _put_report(draft, chosen)
    return _definition(draft)


def workshop_of(draft: Draft) -> Workshop:
    """Return the checked components of the comparison that ``draft`` defines; nothing is written.

    Raises:
        AutomlError: something is wrong; the message starts with the flag or with ``file:line:``.
    """
    definition = _definition(draft)
    values = {**dict(definition.base), "comparison": {"strategies": definition.settings.strategies}}
    check_components(draft, values)
    try:
        return Workshop.of(definition)
    except (ConfigurationError, UsageError) as error:
        raise draft.located(error, error.path if isinstance(error, DefinitionError) else ()) from error


def _definition(draft: Draft) -> ComparisonDefinition:
    values = {name: value for name, value in draft.values.items() if name not in ("strategy", "seed")}
    try:
        return parse_comparison(values)
    except DefinitionError as error:
        located = draft.located(error, error.path)
        if isinstance(located, StudyFileError) or error.path[:1] != ("comparison",):
            raise located from error
        raise UsageError(str(located)) from error


def _put_report(draft: Draft, chosen: ComparisonFlags) -> None:
    draft.put(("comparison", "checkpoints"), _counts(chosen.checkpoints), f"--checkpoints {chosen.checkpoints}")
    draft.put(("comparison", "target"), chosen.target, f"--target {chosen.target}")
    draft.put(("comparison", "report"), chosen.report, f"--report {chosen.report}")
    draft.put(("comparison", "against"), chosen.against, f"--against {chosen.against}")


def _put_strategies(draft: Draft, texts: Sequence[str]) -> None:
    """Choose the strategies, written ``NAME`` or ``LABEL=NAME``; one that the file has keeps its options."""
    if not texts:
        return
    known = {each["label"]: each for each in draft.values["comparison"]["strategies"]}
    chosen = []
    for place, text in enumerate(texts):
        label, equals, name = text.partition("=")
        given = {"name": name, "label": label} if equals else {"name": text, "label": text.rpartition(":")[2]}
        there = known.get(given["label"])
        is_same = there is not None and (there["name"] == given["name"] or not equals)
        chosen.append(there if is_same else {**given, "options": {}})
        draft.sources["comparison", "strategies", place] = f"--strategy {text}"
    draft.values["comparison"]["strategies"] = chosen


def _counts(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers that ``20,50,100`` lists; raises `UsageError`."""
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise UsageError(f"--checkpoints {text}: write numbers of evaluations, as 20,50,100")
    return tuple(map(int, parts))
