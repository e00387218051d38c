"""The course of a study over the told order: its best trials so far, and the metrics that its parent run shows.

A pure fold over the told trials, so that a mirror rebuilt later shows the same course.
"""

from __future__ import annotations

from automl import Goal, Trial, dominates
from automl_plugins.trackers._mlflow_mirror.content import Point

_STATES = ("completed", "failed", "rejected", "pruned")


class Course:
    """Where a study stood after each told trial; ``top_size`` trials are kept in `top`."""

    def __init__(self, goal: Goal, top_size: int) -> None:
        self._goal, self._top_size = goal, top_size
        self._counts = dict.fromkeys((*_STATES, "duplicates"), 0)
        self._front: list[Trial] = []
        self._values: dict[str, float] = {}
        self._told: set[int] = set()
        self._last: tuple[int, float] = (-1, 0.0)
        self.top: list[Trial] = []
        self.ended = 0.0

    @property
    def told(self) -> int:
        """Number of trials told."""
        return len(self._told)

    @property
    def best(self) -> list[Trial]:
        """The best trial, or the Pareto front by its first objective."""
        if len(self._goal.objectives) == 1:
            return self.top[:1]
        return sorted(self._front, key=lambda trial: (trial.losses, trial.number))

    def has(self, number: int) -> bool:
        """Say whether a trial was told."""
        return number in self._told

    def tell(self, trial: Trial, order: int, time: float) -> bool:
        """Learn of a trial; return whether it was better than all before, or joined the Pareto front."""
        self._told.add(trial.number)
        self._last, self.ended = (order, time), max(self.ended, time)
        if trial.duplicate_of is None:
            self._counts[trial.state.value] += 1
        if trial.duplicate_of is not None or trial.is_cached:
            self._counts["duplicates"] += 1
        if not trial.is_feasible or trial.duplicate_of is not None:
            return False
        self._improve(trial)
        self.top = sorted([*self.top, trial], key=lambda kept: (kept.rank, kept.number))[: self._top_size]
        losses = trial.losses
        if any(kept.losses == losses or dominates(kept.losses, losses) for kept in self._front):
            return False
        self._front = [*(kept for kept in self._front if not dominates(losses, kept.losses)), trial]
        return True

    def points(self) -> list[Point]:
        """Return where the study stands, at the step of the last told trial."""
        step, time = self._last
        if step < 0:
            return []
        values = {f"best_{name}": value for name, value in self._values.items()}
        values |= {f"trials_{name}": float(count) for name, count in self._counts.items()}
        if len(self._goal.objectives) > 1:
            values["front_size"] = float(len(self._front))
        return [Point(name, value, step, time) for name, value in values.items()]

    def _improve(self, trial: Trial) -> None:
        for objective, loss in zip(self._goal.objectives, trial.losses, strict=True):
            name = objective.metric
            if loss < objective.loss(self._values):
                self._values[name] = trial.metrics[name]


def is_marked(step: int) -> bool:
    """Say whether the course is drawn at ``step``: everywhere up to 1,000, then ever more thinly, 900 times a decade.

    >>> [step for step in (7, 999, 1001, 1010, 10_010, 10_100) if is_marked(step)]
    [7, 999, 1010, 10100]
    """
    stride = int(10 ** max(0, len(str(step)) - 3))
    return step % stride == 0
