"""Training for good, in one stage or several: what a run of it does, and what is kept on the way."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from automl import Candidate, Context
from automl_plugins.evaluators._checkpoint import Checkpoint
from automl_plugins.evaluators._training import Run, Settings, TrainOptions

_SAVING_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a training.

    Attributes:
        run: what is trained; it counts its own epochs.
        settings: of the training.
        epoch: trains ``run`` for one more epoch.
        until: epochs of all stages up to the end of this one.
        after: epochs of earlier stages.
        name: of its checkpoint; empty where there are no other stages.
    """

    run: Run
    settings: Settings
    epoch: Callable[[], None]
    until: int
    after: int = 0
    name: str = ""


class Course(Protocol):
    """What stages share: where they happen, how long they last together, and what is done between two epochs."""

    @property
    def context(self) -> Context:
        """Where it happens."""

    @property
    def epochs(self) -> int:
        """Epochs of all stages together."""

    def train(self, stage: Stage) -> None:
        """Train until the end of ``stage``, from its checkpoint if there is one, and report each epoch."""


@dataclass(frozen=True, slots=True)
class ForGood:
    """The course of a training to keep; see `automl.Trainer`: there is no look at a validation split.

    At most a twentieth of the time goes into checkpoints; the end of a stage is always kept.
    """

    options: TrainOptions
    candidate: Candidate
    context: Context

    @property
    def epochs(self) -> int:
        """All that the options ask for."""
        return self.options.epochs

    def train(self, stage: Stage) -> None:
        """Train until the end of the stage, and report the epochs with the loss and the seconds so far."""
        run = stage.run
        name = f"retrain_{stage.name}" if stage.name else "retrain"
        checkpoint = Checkpoint.of(self.candidate, self.options, self.context, name)
        if checkpoint is not None:
            checkpoint.restore(run, stage.until - stage.after)
        saver = _Saver(checkpoint, run)
        if run.epoch:
            self._report(stage)
        while stage.after + run.epoch < stage.until:
            stage.epoch()
            saver.save_if_due(is_due=stage.after + run.epoch == stage.until)
            try:
                self._report(stage)
            except BaseException:
                saver.save_if_due(is_due=True)
                raise
        run.network.eval()

    def _report(self, stage: Stage) -> None:
        run = stage.run
        self.context.report(stage.after + run.epoch, {"train_loss": run.train_loss, "train_time": run.seconds})


class _Saver:
    """Saves a run now and then: as often as takes `_SAVING_SHARE` of the time at most."""

    def __init__(self, checkpoint: Checkpoint | None, run: Run) -> None:
        self._checkpoint, self._run = checkpoint, run
        self._saved_epoch, self._saved_at, self._pause = run.epoch, time.monotonic(), 0.0

    def save_if_due(self, *, is_due: bool) -> None:
        """Save the run, unless that was done after this epoch; when it is not due, only after a pause."""
        now = time.monotonic()
        if self._checkpoint is None or self._run.epoch == self._saved_epoch:
            return
        if is_due or now - self._saved_at >= self._pause:
            self._checkpoint.save(self._run)
            self._saved_epoch, self._saved_at = self._run.epoch, time.monotonic()
            self._pause = (self._saved_at - now) / _SAVING_SHARE
