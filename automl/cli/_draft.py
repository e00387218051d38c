"""From a study file and flags to one definition. Flags win, and a mistake is reported where it was made."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from automl.cli._added import are_default, metrics_wanted, with_reporters
from automl.cli._flags import Flags
from automl.cli._options import device_names
from automl.definition import ComponentSpec, DefinitionError, StudyDefinition, parse_definition
from automl.errors import AutomlError, ConfigurationError, UsageError, unknown_name
from automl.options import OptionError, parse_options
from automl.plugins import Kind, registry
from automl.recipe import AUTO_TASK, with_task
from automl.recognition import recognise
from automl.runner import Prepared, prepare
from automl.studyfile import KeyPath, StudyFile

_QUOTED = re.compile(r"'([^']+)'")
_BARE_NAMES = re.compile(r"\s*\[\s*[A-Za-z_][\w-]*(\s*,\s*[A-Za-z_][\w-]*)*\s*\]\s*")
_DOTTED = re.compile(r"`([\w:]+)\.(\w+)`")

log = logging.getLogger("automl")


@dataclass
class Draft:
    """A definition in the making, and which flag set what."""

    file: StudyFile | None
    values: dict[str, Any]
    sources: dict[KeyPath, str] = field(default_factory=dict)

    def put(self, path: KeyPath, value: object, flag: str) -> None:
        """Set ``path`` if ``value`` was given."""
        if value is None or value is False or value == ():
            return
        node: Any = self.values
        for part in path[:-1]:
            node = node[part]
        node[path[-1]] = value
        self.sources[path] = flag

    def located(self, error: ConfigurationError | UsageError, path: KeyPath = ()) -> AutomlError:
        """Return ``error`` with the flag, or the file and line, that it comes from."""
        flag = self._flag_at(path) if path else self._flag_quoted(str(error))
        if flag is not None:
            kind = UsageError if isinstance(error, UsageError) else ConfigurationError
            return kind(f"{flag}: {error}")
        return error if self.file is None else self.file.located(error, path)

    def _flag_at(self, path: KeyPath) -> str | None:
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        inside = (flag for found, flag in self.sources.items() if found[: len(path)] == path)
        return next(inside, None) if "options" in path else None

    def _flag_quoted(self, message: str) -> str | None:
        first = message.splitlines()[0]
        wanted = [(text,) for text in _QUOTED.findall(first)] + _DOTTED.findall(first)
        return next((flag for flag in self.sources.values() if any(_has_all(flag, texts) for texts in wanted)), None)


def _has_all(flag: str, texts: Sequence[str]) -> bool:
    return all(text in flag for text in texts)


def prepared_study(draft: Draft) -> Prepared:
    """Return the checked components of the study that ``draft`` defines; nothing is written.

    Raises:
        AutomlError: something is wrong; the message starts with the flag or with ``file:line:``.
    """
    try:
        definition = parse_definition(draft.values)
    except DefinitionError as error:
        raise draft.located(error, error.path) from error
    check_components(draft, dict(definition))
    try:
        return prepare(definition)
    except (ConfigurationError, UsageError) as error:
        raise draft.located(error) from error


def draft_of(file: StudyFile | None, flags: Flags, base: StudyDefinition | None = None) -> Draft:
    """Return the values of ``file``, or else the defaults, with those of ``flags`` in their place.

    ``base`` stands for the file's definition where that is not a study's.
    """
    base = base or (StudyDefinition() if file is None else file.definition)
    draft = Draft(file, base.model_dump())
    if file is None and (flags.trials is not None or flags.time is not None):
        draft.values["budget"] = {"trials": None, "time": None}
    _put_plain(draft, flags)
    for kind in ("space", "strategy", "task"):
        _put_component(draft, kind, getattr(flags, kind))
    put_data(draft, flags)
    _put_evaluators(draft, flags.evaluators)
    _put_task(draft)
    _put_reporters(draft, flags)
    _put_trackers(draft, flags)
    for text in flags.settings:
        put_setting(draft, text)
    return draft


def _put_plain(draft: Draft, flags: Flags) -> None:
    draft.put(("name",), flags.study, f"--study {flags.study}")
    draft.put(("project",), flags.project, f"--project {flags.project}")
    draft.put(("seed",), flags.seed, f"--seed {flags.seed}")
    draft.put(("objectives",), tuple(flags.objectives), f"--objective {' '.join(flags.objectives)}")
    draft.put(("constraints",), tuple(flags.constraints), f"--constraint {'; '.join(flags.constraints)}")
    draft.put(("reference",), _reference(flags.reference), f"--reference {' '.join(flags.reference)}")
    draft.put(("budget", "trials"), flags.trials, f"--trials {flags.trials}")
    draft.put(("budget", "time"), flags.time, "--time")
    draft.put(("execution", "workers"), flags.workers, f"--workers {flags.workers}")
    draft.put(("execution", "devices"), device_names(flags.devices), f"--devices {flags.devices}")
    if flags.devices and flags.workers is None:
        draft.values["execution"].pop("workers", None)
    draft.put(("execution", "deterministic"), flags.deterministic, "--deterministic")
    draft.put(("execution", "timeout"), flags.timeout, "--timeout")
    draft.put(("execution", "memory_limit"), flags.memory_limit, "--memory-limit")


def _reference(texts: Sequence[str]) -> dict[str, float] | None:
    """Return the reference point that ``latency=20`` and its like write, ``None`` without any."""
    point: dict[str, float] = {}
    for text in texts:
        metric, _, value = text.partition("=")
        try:
            point[metric.strip()] = float(value)
        except ValueError:
            raise UsageError(
                f"cannot read --reference {text!r}; write it as METRIC=VALUE, for example latency=20"
            ) from None
    return point or None


def _put_component(draft: Draft, kind: str, name: str | None) -> None:
    """Choose a component; the options of another one go, since they would mean nothing to it."""
    if name is None:
        return
    if draft.values[kind]["name"] != name:
        draft.values[kind] = {"name": name, "options": {}}
    draft.sources[kind, "name"] = f"--{kind} {name}"


def put_data(draft: Draft, flags: Flags) -> None:
    """Choose the task that can read the user's own data, and say what it understood.

    Raises:
        UsageError: it is not clear which task that is.
    """
    if flags.data is None:
        if flags.target is not None:
            raise UsageError(f"--target {flags.target}: names a column of the table given by --data; add that")
        return
    flag = f"--data {flags.data}"
    try:
        found = recognise(flags.data, target=flags.target, task=flags.task)
    except UsageError as error:
        raise UsageError(f"{flag}: {error}") from error
    draft.values["task"] = found.spec().model_dump()
    draft.sources["task", "name"] = flag
    if found.guess.space and flags.space is None and draft.file is None:
        draft.values["space"] = {"name": found.guess.space, "options": {}}
    log.info("%s: %s", flags.data, found.in_words)


def _put_evaluators(draft: Draft, names: Sequence[str]) -> None:
    specs = list(draft.values["evaluators"])
    if names:
        known = {spec["name"]: spec for spec in specs}
        specs = [known.get(name, {"name": name, "options": {}}) for name in names]
        draft.sources.update({("evaluators", place): f"--evaluator {name}" for place, name in enumerate(names)})
    draft.values["evaluators"] = specs


def _put_task(draft: Draft) -> None:
    """Put the task that ``auto`` stands for, so that ``--set`` can name it; wrong evaluators are named later."""
    with contextlib.suppress(AutomlError):
        draft.values["task"] = with_task(parse_definition(draft.values)).task.model_dump()


def _put_reporters(draft: Draft, flags: Flags) -> None:
    """Add evaluators of metrics that flags name, where neither flags nor the file say which evaluators there are."""
    is_named = draft.file is not None and "evaluators" in draft.file.values
    if not (flags.evaluators or is_named or "comparison" in draft.values) and are_default(draft.values["evaluators"]):
        wanted = metrics_wanted(flags.objectives, flags.constraints)
        draft.values["evaluators"] = with_reporters(draft.values["evaluators"], wanted, draft.values["task"])


def _put_trackers(draft: Draft, flags: Flags) -> None:
    specs = [spec for spec in draft.values["trackers"] if not (flags.no_mlflow and spec["name"] == "mlflow")]
    draft.values["trackers"] = specs
    if flags.mlflow_children is None:
        return
    places = [place for place, spec in enumerate(specs) if spec["name"] == "mlflow"]
    if not places:
        raise UsageError("--mlflow-children needs the tracker mlflow, but the study has none")
    draft.put(("trackers", places[0], "options", "children"), flags.mlflow_children, "--mlflow-children")


def put_setting(draft: Draft, text: str) -> None:
    """Apply ``part.option=value``, the part being one of the definition or a component's name."""
    key, equals, raw = text.partition("=")
    if not equals or "." not in key:
        raise UsageError(f"cannot read --set {text!r}; write it as part.option=value, for example train.epochs=3")
    parts = _parts(draft.values)
    fitting = [part for part in parts if key.strip().startswith(f"{part}.")]
    if not fitting:
        raise UsageError(f"--set {text}: {unknown_name('part', key.strip().partition('.')[0], parts)}")
    part = max(fitting, key=len)
    names = key.strip()[len(part) + 1 :].split(".")
    node: Any = draft.values
    for step in (*parts[part], *names[:-1]):
        node = node.setdefault(step, {}) if isinstance(node, dict) else node[step]
    if not isinstance(node, dict) or not names[-1]:
        raise UsageError(f"--set {text}: there is no option {'.'.join(names)!r}")
    node[names[-1]] = value_of(raw, text)
    draft.sources[(*parts[part], *names)] = f"--set {text}"


def _parts(values: Mapping[str, Any]) -> dict[str, KeyPath]:
    """Return where the options of everything that ``--set`` may name are."""
    parts: dict[str, KeyPath] = {"study": (), "execution": ("execution",), "budget": ("budget",)}
    if values.get("correlation") is not None:
        parts["correlation"] = ("correlation",)
    for path, _, spec in _places(values):
        name, where = spec.get("label", spec["name"]), (*path, "options")
        if len(path) == 1:
            parts[str(path[0])] = where
        # Of two components of one name, as a space and its table, the one that has no other name is meant.
        if name not in parts or len(parts[name]) == 2:
            parts[name] = where
    return parts


def _places(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Kind, Any]]:
    """Yield path, kind and value of every component."""
    if not has_own_spaces(values):
        yield ("space",), "space", values["space"]
    if "comparison" not in values:
        yield ("strategy",), "strategy", values["strategy"]
    else:
        for place, spec in enumerate(values["comparison"]["strategies"]):
            yield ("comparison", "strategies", place), "strategy", spec
    yield ("task",), "task", values["task"]
    for place, spec in enumerate(values["evaluators"]):
        yield ("evaluators", place), "evaluator", spec
    for place, spec in enumerate(values["trackers"]):
        yield ("trackers", place), "tracker", spec
    for place, spec in enumerate(dict(values.get("correlation") or {}).get("aggregates", ())):
        yield ("correlation", "aggregates", place), "aggregator", spec


def has_own_spaces(values: Mapping[str, Any]) -> bool:
    """Say whether every strategy of a comparison has a space of its own, so that the comparison's means nothing."""
    arms = dict(values.get("comparison") or {}).get("strategies", ())
    return bool(arms) and all((arm.get("space") if isinstance(arm, dict) else arm.space) is not None for arm in arms)


def _places_of_arms(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Kind, ComponentSpec]]:
    """Yield path, kind and value of the components that one strategy of a comparison has for itself alone."""
    for place, arm in enumerate(dict(values.get("comparison") or {}).get("strategies", ())):
        path = ("comparison", "strategies", place)
        if arm.space is not None:
            yield (*path, "space"), "space", arm.space
        for number, spec in enumerate(arm.evaluators or ()):
            yield (*path, "evaluators", number), "evaluator", spec


def toml_value(text: str) -> Any:
    """Return what ``text`` means as a TOML value, or the text itself where it is none.

    >>> toml_value("5e5"), toml_value("true"), toml_value("relu")
    (500000.0, True, 'relu')
    """
    try:
        found = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    value = found.get("value")
    is_json = isinstance(value, str | bool | int | float | list | dict)
    return value if is_json and len(found) == 1 else text


def value_of(raw: str, setting: str) -> Any:
    """Return what the value of ``--set`` means: TOML, a list or table in JSON, or a list of names without quotes.

    Raises:
        UsageError: it is a list or table with a mistake in it.
    """
    value = toml_value(raw)
    if isinstance(value, str) and raw.strip().startswith(("[", "{")):
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(raw)  # as `automl show --json` and `jq` print architectures
        if _BARE_NAMES.fullmatch(raw):
            return [name.strip() for name in raw.strip()[1:-1].split(",")]
        example = """'["naswot", {name = "zen", repeats = 8}]'"""
        raise UsageError(f"--set {setting}: cannot read the list or table; write it as in TOML, for example {example}")
    return value


def check_components(draft: Draft, values: Mapping[str, Any]) -> None:
    """Find every component of a definition and parse its options, so that a mistake is placed exactly."""
    for path, kind, spec in itertools.chain(_places(values), _places_of_arms(values)):
        if kind == "task" and spec.name == AUTO_TASK:
            continue
        try:
            component = registry().load(kind, spec.name)
        except ConfigurationError as error:
            raise draft.located(error, (*path, "name")) from error
        try:
            parse_options(component, spec.name, spec.options)
        except OptionError as error:
            place = ("options", error.option) if error.option in spec.options else ("name",)
            raise draft.located(ConfigurationError(str(error)), (*path, *place)) from error
