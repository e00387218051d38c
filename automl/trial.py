"""A trial: one proposed architecture and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from automl.architecture import Architecture


class TrialState(StrEnum):
    """Life of a trial: ``running`` until one of the others, which are final."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    REJECTED = "rejected"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial as strategies and trackers see it.

    Attributes:
        number: position in the study, from 0, in the order of proposals.
        architecture: what was proposed.
        key: canonical key of the architecture.
        state: see `TrialState`.
        metrics: every number that the evaluators reported.
        losses: one value per objective, all to be minimised; ``inf`` where there is no value.
        violation: summed relative violation of the constraints; 0 is feasible.
        fidelity: what the proposal asked for; ``None`` is the full evaluation.
        duplicate_of: number of the earlier trial of this study whose result answered this one, if any.
        is_cached: whether another study's result answered it.
        note: what the strategy said about the proposal (operator, parents, ...).
        error: why it failed, was rejected or pruned; one line.
        remarks: why metrics that the evaluators declare are not among `metrics`, or are what they are, by name; one
            line each.
    """

    number: int
    architecture: Architecture
    key: str
    state: TrialState = TrialState.RUNNING
    metrics: Mapping[str, float] = field(default_factory=dict)
    losses: tuple[float, ...] = ()
    violation: float = 0.0
    fidelity: float | None = None
    duplicate_of: int | None = None
    is_cached: bool = False
    note: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    remarks: Mapping[str, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        from automl.notebook import trial_html

        return trial_html(self)

    @property
    def is_feasible(self) -> bool:
        """Whether it completed and satisfies every constraint."""
        return self.state is TrialState.COMPLETED and self.violation == 0

    @property
    def rank(self) -> tuple[float, ...]:
        """Sort key, best first: feasible by losses, then infeasible by violation, then everything else."""
        if self.is_feasible:
            return (0.0, *self.losses)
        if self.state in (TrialState.COMPLETED, TrialState.REJECTED) and self.violation > 0:
            return (1.0, self.violation, *self.losses)
        return (2.0, 0.0, *self.losses)
