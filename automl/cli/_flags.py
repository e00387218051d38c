"""What the flags of `automl search` and `automl run` say about a study, as one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Flags:
    """What the flags say about the study; ``None`` and empty mean "not given"."""

    study: str | None = None
    project: str | None = None
    space: str | None = None
    strategy: str | None = None
    task: str | None = None
    data: str | None = None
    target: str | None = None
    evaluators: Sequence[str] = ()
    trials: int | None = None
    time: float | None = None
    seed: int | None = None
    objectives: Sequence[str] = ()
    constraints: Sequence[str] = ()
    reference: Sequence[str] = ()
    workers: int | None = None
    devices: str | None = None
    deterministic: bool = False
    timeout: float | None = None
    memory_limit: float | None = None
    settings: Sequence[str] = ()
    no_mlflow: bool = False
    mlflow_children: str | None = None
