"""Run the study of a bundle again, and compare what it finds.

A replay is an ordinary study, in a store that has no other: results of other studies would answer for it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from automl.api import create
from automl.bundles.bundle import Bundle, trial_row
from automl.definition import StudyDefinition, parse_definition
from automl.environment import component_versions, environment
from automl.errors import ConfigurationError, UsageError
from automl.plugins import registry
from automl.runner import Prepared
from automl.storage.records import numbers_from_json
from automl.storage.store import Store
from automl.study import Study

_LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn", "networkx", "optuna", "cmaes")
_COMPARED = ("state", "architecture", "canonical_key", "fidelity", "seed", "duplicate_of")
_FILE = "plugin "


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a replay compares with its bundle.

    Attributes:
        compared: trials that were compared.
        missing: trials of the bundle that the replay did not come to, repeats at the end apart.
        different: what differs, a line for each trial.
        largest: the largest relative difference between metrics that were compared.
    """

    compared: int
    missing: int
    different: tuple[str, ...]
    largest: float = 0.0

    @property
    def is_same(self) -> bool:
        """Whether the replay found the same."""
        return not self.different and not self.missing


def definition_of(bundle: Bundle, devices: Sequence[str] | None = None) -> StudyDefinition:
    """Return the definition to replay: the bundle's, without trackers, on ``devices`` if they are given.

    Raises:
        ConfigurationError: it needs a plugin file that is not loaded.
    """
    for name, was in bundle.manifest.components.items():
        module = name.removeprefix(_FILE)
        if was.get("distribution") == "file" and module not in registry().files:
            raise ConfigurationError(
                f"the study needs the plugin file {module}.py; it is in the bundle, in plugins/: unpack it, read it, "
                f"and run this again with --plugin {module}.py"
            )
    values = {**bundle.manifest.definition, "trackers": ()}
    if devices:
        values["execution"] = {**values.get("execution", {}), "devices": tuple(devices)}
    return parse_definition(values)


def differences(bundle: Bundle, prepared: Prepared) -> list[str]:
    """Return what differs here in versions and data from where the study ran, a line each."""
    was, now = bundle.manifest.environment, environment()
    pairs = [("automl", was.get("automl"), now["automl"])]
    pairs.append(("Python", _minor(was.get("python")), _minor(now["python"])))
    libraries = was.get("libraries", {})
    pairs += [(name, libraries.get(name), now["libraries"].get(name)) for name in _LIBRARIES if name in libraries]
    found = [
        f"{name} was {before}, and is {here or 'not installed'} here" for name, before, here in pairs if before != here
    ]
    components = component_versions(prepared.recipe.definition, prepared.cascade)
    for name, before in bundle.manifest.components.items():
        here = components.get(name)
        if here is None:  # a tracker, which a replay leaves out
            continue
        if here.get("digest") != before.get("digest"):
            found.append(f"the data of {name} differ: digest {before.get('digest')} then, {here.get('digest')} here")
        if here["version"] != before["version"] and here["version"] != now["automl"]:
            found.append(f"{name} was version {before['version']}, and is {here['version']} here")
    return found


def replay_study(bundle: Bundle, prepared: Prepared, store: Store) -> tuple[Study, bool]:
    """Return the study that replays ``bundle`` in ``store``, and whether it is new.

    Raises:
        UsageError: the store has other studies, or one of that name that replays something else.
    """
    name, known = bundle.manifest.study, [record.name for record in store.studies()]
    others = [one for one in known if one != name]
    if others:
        raise UsageError(
            f"{store.display_url} has other studies ({', '.join(others[:3])}), whose results would answer for the "
            "replay; name a store that is not there yet with --storage"
        )
    if known:
        study = Study(store, name)
        if study.record.uid == bundle.manifest.study_uid:
            raise UsageError(
                f"{store.display_url} has the study itself, not a replay; name a store that is not there yet with "
                "--storage"
            )
        if study.definition.model_dump(exclude={"execution"}) != prepared.definition.model_dump(exclude={"execution"}):
            raise UsageError(f"{store.display_url} has another study {name!r}; name another store with --storage")
        return study, False
    study = create(prepared, store)
    lease = store.acquire(study.record.id)
    # The strategy goes on to see the budget of the definition; what ends the replay is the number that was run.
    store.set_budget(lease, bundle.manifest.trials_budget, None)
    store.release(lease)
    return study, True


def compared(bundle: Bundle, study: Study, tolerance: float = 0.0) -> Comparison:
    """Compare the trials of ``study`` with those of ``bundle``, number by number.

    Args:
        bundle: what was found.
        study: its replay, which has ended.
        tolerance: relative difference up to which metrics count as equal; readings of clocks are never compared.
    """
    rows = [trial_row(record) for record in study.records]
    ended = [row for row in bundle.trials if row["state"] != "running"]
    measured, lines, largest = set(bundle.manifest.measured), [], 0.0
    pairs = [(was, rows[was["number"]]) for was in ended if was["number"] < len(rows)]
    for was, now in pairs:
        off, text = _metrics(was["metrics"], now["metrics"], measured)
        largest = max(largest, off)
        told = [f"{name} {was[name]!r} then, {now[name]!r} now" for name in _COMPARED if was[name] != now[name]]
        told += [text] if off > tolerance else []
        if told:
            lines.append(f"trial {was['number']}: {'; '.join(told)}")
    missing = sum(was["number"] >= len(rows) and was["duplicate_of"] is None for was in ended)
    return Comparison(len(pairs), missing, tuple(lines), largest)


def _metrics(was: Mapping[str, Any], now: Mapping[str, Any], measured: set[str]) -> tuple[float, str]:
    """Return the largest relative difference, infinite where one is missing, and which metric has it."""
    before, here = numbers_from_json(was), numbers_from_json(now)
    worst, text = 0.0, ""
    for name in dict.fromkeys([*before, *here]):
        if name in measured or name.partition(".")[0] in measured:
            continue
        first, second = before.get(name, math.nan), here.get(name, math.nan)
        if first == second or (name in before and name in here and math.isnan(first) and math.isnan(second)):
            continue
        gap = abs(first - second) / max(abs(first), abs(second))
        off = gap if math.isfinite(gap) else math.inf
        if off > worst:
            worst, text = off, f"{name} = {before.get(name)} then, {here.get(name)} now"
    return worst, text


def _minor(version: str | None) -> str:
    return ".".join(str(version).split(".")[:2])
