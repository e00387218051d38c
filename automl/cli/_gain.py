"""How much a search gained over its own random start.

Most strategies begin with candidates drawn at random and mark them ``operator = "random"``. The gain is the best value
of the whole study minus the best of those. It is *not* a comparison at equal cost, since the search had further
evaluations that random sampling would have used too; for that, run `random_search` with the same budget and seed.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from automl.cli._output import number
from automl.objectives import Goal
from automl.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Gain:
    """Best of all evaluations against best, mean and standard deviation of the random ones."""

    metric: str
    best: float
    random_best: float
    random_mean: float
    random_deviation: float
    random_count: int
    further: int
    gained: float
    """By how much `best` is better than `random_best`, in the metric's unit; never negative."""

    def __str__(self) -> str:
        """Return one line for people."""
        verdict = f"better by {number(self.gained)}" if self.gained > 0 else "no better"
        return (
            f"best {self.metric} {number(self.best)}; best of the {self.random_count} random starts "
            f"{number(self.random_best)} (mean {number(self.random_mean)} ± {number(self.random_deviation)}): "
            f"{verdict} with {self.further} further evaluations"
        )


def gain_over_random(trials: Sequence[Trial], goal: Goal) -> Gain | None:
    """Return the gain; ``None`` with several objectives, no feasible random start, or nothing but random draws.

    Counted are full evaluations that repeat no other; rejected and failed ones count as evaluations, but have no value.
    """
    if len(goal.objectives) != 1:
        return None
    objective = goal.objectives[0]
    ended = [t for t in trials if t.duplicate_of is None and t.fidelity is None and t.state is not TrialState.RUNNING]
    random = [trial for trial in ended if trial.note.get("operator") == "random"]
    losses = [trial.losses[0] for trial in random if trial.is_feasible]
    further = len(ended) - len(random)
    if not losses or not further:
        return None
    lowest = min(trial.losses[0] for trial in ended if trial.is_feasible)
    sign = -1.0 if objective.direction == "max" else 1.0
    return Gain(
        metric=objective.metric,
        best=sign * lowest,
        random_best=sign * min(losses),
        random_mean=sign * statistics.fmean(losses),
        random_deviation=statistics.stdev(losses) if len(losses) > 1 else 0.0,
        random_count=len(losses),
        further=further,
        gained=min(losses) - lowest,
    )
