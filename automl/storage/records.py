"""Rows of the store as immutable records, and the JSON in which numbers keep their meaning."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.architecture import Architecture
from automl.generation import Thresholds
from automl.objectives import Goal
from automl.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """A study as stored. ``state`` is `automl.study.StudyState`'s value; ``elapsed`` is in seconds.

    ``ask_seconds`` of them its strategy took to ask and to learn; ``comparison_id`` is that of the comparison to which
    it belongs.
    """

    id: int
    uid: str
    name: str
    state: str
    reason: str | None
    definition: Mapping[str, Any]
    components: Mapping[str, Any]
    environment: Mapping[str, Any]
    trials_budget: int | None
    time_budget: float | None
    created: float
    elapsed: float
    ask_seconds: float = 0.0
    comparison_id: int | None = None


@dataclass(frozen=True, slots=True)
class ComparisonRecord:
    """A comparison as stored."""

    id: int
    uid: str
    name: str
    definition: Mapping[str, Any]
    created: float


@dataclass(frozen=True, slots=True)
class NewStudy:
    """A study that is to be written, in state ``created``."""

    name: str
    definition: Mapping[str, Any]
    components: Mapping[str, Any]
    environment: Mapping[str, Any]
    trials_budget: int | None = None
    time_budget: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What an earlier trial found, as it answers an equal one; ``is_own`` if it belongs to the same study."""

    number: int
    duplicate_of: int | None
    state: str
    metrics: Mapping[str, float]
    error: str | None
    error_kind: str | None
    remarks: Mapping[str, str]
    is_own: bool


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """A trial as stored; see `automl.storage.models.TrialModel`."""

    number: int
    revision: int
    state: str
    architecture: Mapping[str, Any]
    canonical_key: str
    cache_key: str
    fidelity: float | None
    seed: int
    note: Mapping[str, Any]
    metrics: Mapping[str, float]
    error: str | None
    error_kind: str | None
    details: str | None
    attempts: int
    told_order: int | None
    duplicate_of: int | None
    is_cached: bool
    started: float
    finished: float | None
    remarks: Mapping[str, str] = field(default_factory=dict)
    thresholds: Thresholds = field(default_factory=dict)

    def trial(self, goal: Goal) -> Trial:
        """Return the trial as strategies and trackers see it under ``goal``."""
        return Trial(
            number=self.number,
            architecture=Architecture.from_json(self.architecture),
            key=self.canonical_key,
            state=TrialState(self.state),
            metrics=self.metrics,
            losses=goal.losses(self.metrics),
            violation=goal.violation(self.metrics),
            fidelity=self.fidelity,
            duplicate_of=self.duplicate_of,
            is_cached=self.is_cached,
            note=self.note,
            error=self.error,
            remarks=self.remarks,
        )


def numbers_to_json(metrics: Mapping[str, float]) -> dict[str, float | str]:
    """Return ``metrics`` with non-finite values as strings, since JSON has no word for them."""
    return {name: value if math.isfinite(value) else str(value) for name, value in metrics.items()}


def numbers_from_json(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Undo `numbers_to_json`."""
    return {name: float(value) if isinstance(value, str) else value for name, value in metrics.items()}


def dumps(value: object) -> str:
    """Return compact JSON; refuses what JSON cannot say."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
