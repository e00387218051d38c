"""How much a search gained over its own random start, at equal evaluations.

Most strategies begin with candidates drawn at random and mark them ``operator = "random"``. From those the best value
that as many random evaluations as the whole study had would be expected to reach is estimated: with sorted values
``y_1 <= ... <= y_n`` of the start and ``N`` evaluations, ``sum_i y_i * ((i / n)**N - ((i - 1) / n)**N)``, the expected
best of ``N`` draws with replacement. The estimate cannot exceed the best of the start, so it flatters the search when
the start is small; for a real control run `random_search` with the same budget and seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from automl.cli._output import number
from automl.objectives import Goal
from automl.trial import Trial, TrialState


@dataclass(frozen=True, slots=True)
class Gain:
    """Best of all evaluations against the best that equally many random ones are expected to reach."""

    metric: str
    best: float
    evaluations: int
    random_best: float
    random_expected: float
    random_count: int
    gained: float
    """By how much `best` is better than `random_expected`, in the metric's unit."""

    def __str__(self) -> str:
        """Return one line for people."""
        return (
            f"best {self.metric} {number(self.best)} after {self.evaluations} evaluations; as many random ones would "
            f"be expected to reach {number(self.random_expected)} (estimated from {self.random_count} random starts, "
            f"best {number(self.random_best)}): gain {number(self.gained)}"
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
    if not losses or len(ended) == len(random):
        return None
    draws = max(1, round(len(ended) * len(losses) / len(random)))
    expected = expected_lowest(losses, draws)
    lowest = min(trial.losses[0] for trial in ended if trial.is_feasible)
    sign = -1.0 if objective.direction == "max" else 1.0
    return Gain(
        metric=objective.metric,
        best=sign * lowest,
        evaluations=len(ended),
        random_best=sign * min(losses),
        random_expected=sign * expected,
        random_count=len(losses),
        gained=expected - lowest,
    )


def expected_lowest(losses: Sequence[float], draws: int) -> float:
    """Return the expected lowest of ``draws`` draws with replacement from ``losses``.

    >>> expected_lowest([0.0, 1.0], 2)
    0.25
    """
    count = len(losses)
    worst_first = sorted(losses, reverse=True)
    return sum(
        loss * ((rank / count) ** draws - ((rank - 1) / count) ** draws) for rank, loss in enumerate(worst_first, 1)
    )
