"""The course of a study as metrics over the told order: the best value of each objective so far, and the counts.

A pure fold over the told trials, so that a mirror rebuilt later shows the same course.
"""

from __future__ import annotations

from automl import Goal, Trial, dominates
from automl_plugins.trackers._mlflow_mirror.content import Point

_STATES = ("completed", "failed", "rejected", "pruned")


class Course:
    """Where a study stood after each told trial."""

    def __init__(self, goal: Goal) -> None:
        self._goal = goal
        self._counts = dict.fromkeys((*_STATES, "duplicates"), 0)
        self._front: dict[int, tuple[float, ...]] = {}
        self._best: dict[str, float] = {}
        self._told: set[int] = set()
        self._last: tuple[int, float] = (-1, 0.0)

    @property
    def told(self) -> int:
        """Number of trials told."""
        return len(self._told)

    @property
    def front(self) -> tuple[int, ...]:
        """Numbers of the trials that no other is better than."""
        return tuple(self._front)

    def has(self, number: int) -> bool:
        """Say whether a trial was told."""
        return number in self._told

    def tell(self, trial: Trial, order: int, time: float) -> bool:
        """Learn of a trial; return whether it was the best yet, or joined the Pareto front."""
        self._told.add(trial.number)
        self._last = (order, time)
        if trial.duplicate_of is None:
            self._counts[trial.state.value] += 1
        if trial.duplicate_of is not None or trial.is_cached:
            self._counts["duplicates"] += 1
        if not trial.is_feasible or trial.duplicate_of is not None:
            return False
        for objective, loss in zip(self._goal.objectives, trial.losses, strict=True):
            value = trial.metrics.get(objective.metric)
            known = self._best.get(objective.metric)
            if value is not None and (known is None or loss < objective.loss({objective.metric: known})):
                self._best[objective.metric] = value
        losses = trial.losses
        if any(other == losses or dominates(other, losses) for other in self._front.values()):
            return False
        self._front = {n: other for n, other in self._front.items() if not dominates(losses, other)}
        self._front[trial.number] = losses
        return True

    def points(self) -> list[Point]:
        """Return where the study stands, at the step of the last told trial."""
        step, time = self._last
        if step < 0:
            return []
        values = {f"best_{name}": value for name, value in self._best.items()}
        values |= {f"trials_{name}": float(count) for name, count in self._counts.items()}
        if len(self._goal.objectives) > 1:
            values["front_size"] = float(len(self._front))
        return [Point(name, value, step, time) for name, value in values.items()]


def is_marked(step: int) -> bool:
    """Say whether the course is drawn at ``step``: everywhere up to 1,000, then ever more thinly, 900 times a decade.

    >>> [step for step in (7, 999, 1001, 1010, 10_010, 10_100) if is_marked(step)]
    [7, 999, 1010, 10100]
    """
    stride = int(10 ** max(0, len(str(step)) - 3))
    return step % stride == 0
