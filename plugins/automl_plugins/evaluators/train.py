"""Evaluator ``train``: train the candidate and report how well it does on the validation split."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from automl import Candidate, Context, Evaluator, Metric, Task
from automl_plugins.evaluators._checkpoint import Checkpoint
from automl_plugins.evaluators._training import (
    Run,
    Settings,
    Splits,
    TrainOptions,
    epochs_wanted,
    train_epoch,
    validate,
)

_SAVE_EVERY_SECONDS = 60.0
_SAVING_SHARE = 0.05

_CLASSIFICATION = (Metric("val_accuracy", "max", doc="Share of validation examples classified rightly."),)
_REGRESSION = (
    Metric("val_rmse", "min", doc="Root mean square error on the validation split, in the task's unit."),
    Metric("val_r2", "max", doc="Coefficient of determination on the validation split."),
)
_ALWAYS = (
    Metric("val_loss", "min", doc="Mean loss on the validation split."),
    Metric("train_loss", "min", doc="Mean loss over the last epoch of training."),
    Metric("train_time", "min", unit="s", doc="Time spent training, earlier rungs included.", is_measured=True),
)


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained network, on the context's device and in evaluation mode, and its metrics."""

    network: nn.Module
    metrics: Mapping[str, float]


class Train(Evaluator):
    """Train the network from scratch and report its validation metrics after the last epoch.

    The fidelity is a number of epochs out of ``epochs``. The learning rate follows the schedule of all
    ``epochs`` whatever the fidelity, so that the first rungs of a promoted candidate are the beginning of its
    full run: it goes on from its checkpoint, and ends as if it had never stopped. Weights, order of examples,
    augmentation and dropout derive from the context's seed; on a CPU, with one number of threads, the result
    is the same to the last bit.

    >>> Train(TrainOptions(epochs=3)).options.optimizer
    'adamw'
    """

    Options = TrainOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._splits = Splits()

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        own = _CLASSIFICATION if task.task_kind == "classification" else _REGRESSION
        return own + _ALWAYS

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        return self.fit(candidate, context).metrics

    def retrain(self, candidate: Candidate, context: Context) -> nn.Module:
        """Train for all ``epochs`` on the context's training split, and look at no other; see `automl.Trainer`.

        At most a twentieth of the time goes into checkpoints.

        Raises:
            TrainingDiverged: a loss became infinite or not a number.
        """
        train = self._splits.of(context.task, "train", torch.device(context.device))
        settings = Settings.of(self.options, context, len(train))
        run = Run.start(candidate.build(context.task, context.seed), settings)
        checkpoint = Checkpoint.of(candidate, self.options, context, "retrain")
        if checkpoint is not None:
            checkpoint.restore(run, self.options.epochs)
        saver = _Saver(checkpoint, run)
        if run.epoch:
            context.report(run.epoch, {"train_loss": run.train_loss, "train_time": run.seconds})
        while run.epoch < self.options.epochs:
            train_epoch(run, train, settings, context)
            is_last = run.epoch == self.options.epochs
            saver.save_if_due(is_due=is_last)
            try:
                context.report(run.epoch, {"train_loss": run.train_loss, "train_time": run.seconds})
            except BaseException:
                saver.save_if_due(is_due=True)
                raise
        return run.network.eval()

    def fit(self, candidate: Candidate, context: Context, name: str = "train") -> Fitted:
        """Train as `evaluate` does, and return the network too.

        ``name`` is that of the evaluator that asks, whose checkpoint is its own.

        Raises:
            TrainingDiverged: a loss became infinite or not a number.
            ConfigurationError: the fidelity is beyond ``epochs``.
        """
        epochs = epochs_wanted(self.options.epochs, context, "train")
        device = torch.device(context.device)
        train = self._splits.of(context.task, "train", device)
        validation = self._splits.of(context.task, "validation", device)
        settings = Settings.of(self.options, context, len(train))
        run = Run.start(candidate.build(context.task, context.seed), settings)
        checkpoint = Checkpoint.of(candidate, self.options, context, name)
        if checkpoint is not None:
            checkpoint.restore(run, epochs)
        saved_at = time.monotonic()
        found = validate(run, validation, settings, context) if run.epoch == epochs else {}
        while run.epoch < epochs:
            train_epoch(run, train, settings, context)
            is_last = run.epoch == epochs
            is_looked_at = is_last or run.epoch % self.options.evaluate_every == 0
            found = validate(run, validation, settings, context) if is_looked_at else {}
            is_wanted = is_last and context.fidelity is not None
            if checkpoint is not None and (is_wanted or time.monotonic() - saved_at > _SAVE_EVERY_SECONDS):
                checkpoint.save(run)
                saved_at = time.monotonic()
            context.report(run.epoch, {"train_loss": run.train_loss, **found})
        if checkpoint is not None and context.fidelity is None:
            checkpoint.remove()
        run.network.eval()
        reached = {**found, "train_loss": run.train_loss, "train_time": run.seconds}
        return Fitted(run.network, {metric.name: reached[metric.name] for metric in self.metrics(context.task)})


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
