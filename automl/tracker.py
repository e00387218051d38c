"""Trackers: components that follow a study through its life (the MLflow mirror, the progress display).

A tracker only watches. It is called from the engine's thread, must return quickly, and cannot change a study: the first
exception a tracker raises is reported, after which that tracker is left alone and the study goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from automl.options import Component
from automl.trial import Trial

if TYPE_CHECKING:
    from automl.comparison.comparison import Comparison
    from automl.models.trained import TrainedModel
    from automl.study import Study
    from automl.task import Task


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a study stands: its budget, what it has spent, and its best trials (the Pareto front, if several goals)."""

    trials: int
    trials_budget: int | None
    elapsed: float
    time_budget: float | None
    counts: Mapping[str, int]
    best: Sequence[Trial]


class Tracker(Component):
    """Follows a study. Override what you need; every method does nothing by default."""

    kind: ClassVar[str] = "tracker"

    def study_started(self, study: Study, progress: Progress) -> None:
        """A study starts, or goes on. ``study`` reads from the store and may be kept."""

    def trial_started(self, trial: Trial) -> None:
        """A trial was written to the store and is about to run."""

    def trial_reported(self, trial: Trial, step: int, metrics: Mapping[str, float]) -> None:
        """A running trial reported intermediate metrics."""

    def trial_finished(self, trial: Trial, progress: Progress) -> None:
        """A trial was told: its result is committed and the strategy has learnt of it."""

    def study_finished(self, state: str, progress: Progress) -> None:
        """The study ended or was interrupted; the last call."""

    def comparison_finished(self, comparison: Comparison) -> None:
        """A comparison is over. Its studies are not followed one by one; ``comparison`` reads from the store.

        It is called once, on a tracker that has followed no study.
        """

    def model_trained(self, study: Study, model: TrainedModel, task: Task) -> None:
        """An architecture of ``study`` was trained for good (`automl retrain`); ``task`` has its data, test ones too.

        It is called on a tracker that has followed no study, and after a crash once more for the same model.
        """
