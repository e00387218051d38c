"""What a study and its trials look like in MLflow, as plain strings and numbers within MLflow's limits.

| trial | run status | why |
|---|---|---|
| running | RUNNING | |
| completed | FINISHED | |
| failed | FAILED | the error is in the tag ``automl.error``, its traceback in the description |
| rejected, pruned | KILLED | stopped on purpose before its evaluation was over |

The tag ``automl.trial_state`` holds the exact state. Of numbers, MLflow's charts show only finite ones; the others are
named in the tag ``automl.not_finite``, and why others were not measured is in ``automl.remarks``.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from automl import Study, Trial

if TYPE_CHECKING:
    from automl import TrialRecord

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

TRIAL_STATUS: Mapping[str, Status] = {
    "running": "RUNNING",
    "completed": "FINISHED",
    "failed": "FAILED",
    "rejected": "KILLED",
    "pruned": "KILLED",
}
STUDY_STATUS: Mapping[str, Status] = {
    "created": "RUNNING",
    "running": "RUNNING",
    "completed": "FINISHED",
    "exhausted": "FINISHED",
    "failed": "FAILED",
    "interrupted": "KILLED",
}

_KEY_LENGTH, _PARAM_LENGTH, _TAG_LENGTH, _NAME_LENGTH = 250, 6_000, 5_000, 200


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a metric; ``time`` is in seconds since 1970."""

    name: str
    value: float
    step: int
    time: float


def study_tags(study: Study) -> dict[str, str]:
    """Return the tags that a study's run keeps for good."""
    record, definition = study.record, study.definition
    tags = {
        "mlflow.source.name": "automl",
        "automl.kind": "study",
        "automl.study": record.name,
        "automl.study_uid": record.uid,
        "automl.storage": study.store.display_url,
        "automl.space": definition.space.name,
        "automl.strategy": definition.strategy.name,
        "automl.task": definition.task.name,
        "automl.evaluators": ", ".join(spec.name for spec in definition.evaluators),
        "automl.objectives": ", ".join(definition.objectives),
        "automl.constraints": ", ".join(definition.constraints),
        "automl.seed": str(definition.seed),
        "automl.evaluation_seeds": definition.evaluation_seeds,
        "automl.components": json.dumps(dict(record.components)),
    }
    for name, value in record.environment.items():
        tags[f"automl.environment.{name}"] = value if isinstance(value, str) else json.dumps(value)
    return tags_of(tags)


def study_params(study: Study) -> dict[str, str]:
    """Return the frozen settings of a study, options flattened; what a resume may change is in the tags."""
    values = dict(study.record.definition)
    for name in ("name", "project", "budget", "execution", "trackers"):
        values.pop(name, None)
    return params_of(flat(values))


def study_progress_tags(study: Study) -> dict[str, str]:
    """Return the tags that change while a study runs."""
    record = study.record
    return tags_of(
        {
            "automl.state": study.state.value,
            "automl.reason": record.reason or "",
            "automl.budget_trials": "" if record.trials_budget is None else str(record.trials_budget),
            "automl.budget_seconds": "" if record.time_budget is None else str(record.time_budget),
            "automl.elapsed_seconds": f"{record.elapsed:.1f}",
        }
    )


def identity_tags(study_name: str, study_uid: str, parent: str, row: TrialRecord) -> dict[str, str]:
    """Return the tags with which the run of a trial is made, and by which it is found again."""
    return tags_of(
        {
            "mlflow.parentRunId": parent,
            "mlflow.source.name": "automl",
            "automl.kind": "trial",
            "automl.study": study_name,
            "automl.study_uid": study_uid,
            "automl.trial": str(row.number),
            "automl.canonical_key": row.canonical_key,
            "automl.seed": str(row.seed),
        }
    )


def trial_tags(row: TrialRecord) -> dict[str, str]:
    """Return the tags that change in the life of a trial; the revision says that all before it is written."""
    odd = {name: value for name, value in row.metrics.items() if not math.isfinite(value)}
    details = f"```\n{(row.details or '')[-_TAG_LENGTH + 100 :]}\n```" if row.details else ""
    remarks = "\n".join(f"{name}: {text}" for name, text in row.remarks.items())
    optional = {
        "automl.fidelity": row.fidelity,
        "automl.duplicate_of": row.duplicate_of,
        "automl.is_cached": "true" if row.is_cached else None,
        "automl.told_order": row.told_order,
        "automl.note": json.dumps(dict(row.note), default=str) if row.note else None,
        "automl.error": row.error,
        "automl.error_kind": row.error_kind,
        "automl.remarks": remarks or None,
        "automl.not_finite": ", ".join(f"{name}={value}" for name, value in odd.items()) or None,
        "automl.operator": row.note.get("operator"),
        "automl.parents": ", ".join(map(str, _list(row.note.get("parents")))) or None,
        "mlflow.note.content": details or None,
    }
    tags = {name: str(value) for name, value in optional.items() if value is not None}
    tags |= {
        "automl.trial_state": row.state,
        "automl.is_repeat": "false" if row.duplicate_of is None else "true",
        "automl.attempts": str(row.attempts),
        "automl.revision": str(row.revision),
    }
    return tags_of(tags)


def run_name(number: int, title: str) -> str:
    """Return the name of a trial's run.

    >>> run_name(17, "5 nodes, 6 edges")
    '17 · 5 nodes, 6 edges'
    """
    return (f"{number} · {title}" if title else str(number))[:_NAME_LENGTH]


def trial_points(row: TrialRecord, reports: Sequence[tuple[int, Mapping[str, float]]]) -> list[Point]:
    """Return the curves and final metrics of a finished trial.

    The store keeps no clock for reports, so they are spread evenly over the trial: the same trial always gives the
    same points. A final metric that has a curve too ends that curve.
    """
    end = row.started if row.finished is None else row.finished
    points, last = [], {}
    for place, (step, metrics) in enumerate(reports, 1):
        time = row.started + (end - row.started) * place / (len(reports) + 1)
        for name, value in metrics.items():
            points.append(Point(name, value, step, time))
            last[name] = (step, value)
    for name, value in row.metrics.items():
        step, shown = last.get(name, (0, math.nan))
        if value != shown:
            points.append(Point(name, value, step, end))
    return [point for point in points if math.isfinite(point.value)]


def json_file(value: object) -> bytes:
    """Return ``value`` as the content of a JSON file for people."""
    return json.dumps(value, indent=2, default=dict).encode()


def best_file(best: Sequence[Trial]) -> bytes:
    """Return the best trials with their metrics (null where not finite) and architectures, as a JSON file."""
    found = []
    for trial in best:
        metrics = {name: value if math.isfinite(value) else None for name, value in trial.metrics.items()}
        found.append({"trial": trial.number, "metrics": metrics, "architecture": trial.architecture.to_json()})
    return json_file(found)


def params_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return ``values`` as params, within MLflow's limits."""
    return {key_of(name): _text(value)[:_PARAM_LENGTH] for name, value in values.items()}


def tags_of(values: Mapping[str, str]) -> dict[str, str]:
    """Return ``values`` as tags, within MLflow's limits."""
    return {key_of(name): value[:_TAG_LENGTH] for name, value in values.items()}


def key_of(name: str) -> str:
    """Return ``name`` with what MLflow forbids in keys replaced by ``_``.

    >>> key_of("loss @ 10"), key_of("../up")
    ('loss _ 10', '.._up')
    """
    key = re.sub(r"[^/\w.\- ]", "_", name, flags=re.ASCII)[:_KEY_LENGTH] or "_"
    if posixpath.normpath(key) != key or key.startswith(("/", "..")):
        key = key.replace("/", "_")
    return "_" + key if key in (".", "..") else key


def chunks(items: Iterable[Any], size: int) -> list[list[Any]]:
    """Return ``items`` in lists of at most ``size``."""
    every = list(items)
    return [every[start : start + size] for start in range(0, len(every), size)]


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the settings of a study by dotted names, a component's options below its kind."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            inner = _component(value) if set(value) == {"name", "options"} else value
            found |= {path: value["name"]} if inner is not value else {}
            found |= flat(inner, f"{path}.")
        elif name == "evaluators":
            found[path] = [spec["name"] for spec in value]
            for spec in value:
                found |= flat(spec["options"], f"{spec['name']}.")
        else:
            found[path] = value
    return found


def _component(value: Mapping[str, Any]) -> Mapping[str, Any]:
    options: Mapping[str, Any] = value["options"]
    return options


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
