"""The course of a study over the told order: its best trials so far, and the metrics that its parent run shows.

A pure fold over the told trials, so that a mirror rebuilt later shows the same course.
"""

from __future__ import annotations

from automl import Goal, Trial, dominates
from automl_plugins.trackers._mlflow_mirror.content import Point

_STATES = ("completed", "failed", "rejected", "pruned")


class Course:
    """Where a study stood after each told trial; `top` is the ranking of ``top_size`` trials."""

    def __init__(self, goal: Goal, top_size: int) -> None:
        self._goal, self._top_size = goal, top_size
        self._counts = dict.fromkeys((*_STATES, "duplicates"), 0)
        self._front: list[Trial] = []
        self._values: dict[str, float] = {}
        self._told: set[int] = set()
        self._last: tuple[int, float] = (-1, 0.0)
        self._leading: list[Trial] = []
        self.ended = 0.0

    @property
    def told(self) -> int:
        """Number of trials told."""
        return len(self._told)

    @property
    def best(self) -> list[Trial]:
        """The best trial, or the Pareto front by its first objective."""
        return self._leading[:1] if len(self._goal.objectives) == 1 else self.front

    @property
    def front(self) -> list[Trial]:
        """The Pareto front by its first objective; nothing with a single objective."""
        return sorted(self._front, key=_order) if len(self._goal.objectives) > 1 else []

    @property
    def top(self) -> list[Trial]:
        """The best trials as `Study.top` ranks them: the Pareto front, then the others by the first objective."""
        front = self.front
        members = {trial.number for trial in front}
        return [*front, *(trial for trial in self._leading if trial.number not in members)][: self._top_size]

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
        first: dict[tuple[str, float | None], Trial] = {}
        for kept in sorted([*self._leading, trial], key=_order):
            first.setdefault(_network(kept), kept)
        self._leading = list(first.values())[: self._top_size]
        losses = trial.losses
        if any(dominates(kept.losses, losses) for kept in self._front):
            return False
        same = [kept for kept in self._front if kept.losses == losses]
        is_other = len(losses) > 1 and all(_network(kept) != _network(trial) for kept in same)
        if is_other or not same:
            self._front = [*(kept for kept in self._front if not dominates(losses, kept.losses)), trial]
        return not same

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


def _network(trial: Trial) -> tuple[str, float | None]:
    return trial.key, trial.fidelity


def _order(trial: Trial) -> tuple[tuple[float, ...], int]:
    return trial.rank, trial.number


def is_marked(step: int) -> bool:
    """Say whether the course is drawn at ``step``: everywhere up to 1,000, then ever more thinly, 900 times a decade.

    >>> [step for step in (7, 999, 1001, 1010, 10_010, 10_100) if is_marked(step)]
    [7, 999, 1010, 10100]
    """
    stride = int(10 ** max(0, len(str(step)) - 3))
    return step % stride == 0
