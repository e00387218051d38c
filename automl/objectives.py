"""What a study seeks: objectives, constraints, and how trials compare under them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from automl.conditions import Condition
from automl.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Objective:
    """A metric to maximise or minimise.

    >>> Objective.parse("val_accuracy:max").loss({"val_accuracy": 0.9})
    -0.9
    """

    metric: str
    direction: Literal["max", "min"]

    @classmethod
    def parse(cls, text: str) -> Objective:
        """Return the objective that ``metric:max`` or ``metric:min`` writes."""
        metric, _, direction = text.strip().partition(":")
        if metric and direction in ("max", "min"):
            return cls(metric, "max" if direction == "max" else "min")
        raise ConfigurationError(f"cannot read the objective {text!r}; write it as 'val_accuracy:max' or 'flops:min'")

    def loss(self, metrics: Mapping[str, float]) -> float:
        """Return the value to be minimised: ``inf`` when the metric is missing or not a number."""
        value = metrics.get(self.metric, math.nan)
        if math.isnan(value):
            return math.inf
        return -value if self.direction == "max" else value

    def __str__(self) -> str:
        """Return the objective as written."""
        return f"{self.metric}:{self.direction}"


@dataclass(frozen=True, slots=True)
class Goal:
    """The objectives and constraints of a study.

    ``reference`` is the point within which hypervolume is measured, one value per objective in the metric's own unit;
    empty when none was declared.
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Condition, ...] = ()
    reference: tuple[float, ...] = ()

    @property
    def worst_losses(self) -> tuple[float, ...]:
        """The reference point as losses, lower is better."""
        pairs = zip(self.objectives, self.reference, strict=bool(self.reference))
        return tuple(objective.loss({objective.metric: value}) for objective, value in pairs)

    def losses(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return one value per objective, all to be minimised."""
        return tuple(objective.loss(metrics) for objective in self.objectives)

    def violation(self, metrics: Mapping[str, float]) -> float:
        """Return the summed relative violation of the constraints; 0 means feasible."""
        return sum(constraint.violation(metrics) for constraint in self.constraints)


def dominates(first: Sequence[float], second: Sequence[float]) -> bool:
    """Say whether ``first`` is nowhere worse and somewhere better than ``second``; losses, lower is better."""
    return all(a <= b for a, b in zip(first, second, strict=True)) and tuple(first) != tuple(second)


def pareto_front(losses: Sequence[Sequence[float]]) -> list[int]:
    """Return the positions of the entries that no other dominates, in order. Equal entries are all kept."""
    return [i for i, own in enumerate(losses) if not any(dominates(other, own) for other in losses)]
