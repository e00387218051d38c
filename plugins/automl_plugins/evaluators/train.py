"""Evaluator ``train``: train the candidate and report how well it does on the validation split."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from automl import Candidate, Context, Evaluator, Metric, Task
from automl_plugins.evaluators._checkpoint import Checkpoint
from automl_plugins.evaluators._stages import ForGood, Stage
from automl_plugins.evaluators._training import (
    Run,
    Settings,
    Splits,
    TrainOptions,
    epochs_wanted,
    train_epoch,
    training_metrics,
    validate,
)

_SAVE_EVERY_SECONDS = 60.0


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
        return training_metrics(task)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        return self.fit(candidate, context).metrics

    def retrain(self, candidate: Candidate, context: Context) -> nn.Module:
        """Train for all ``epochs`` on the context's training split, and look at no other; see `automl.Trainer`.

        Raises:
            TrainingDiverged: a loss became infinite or not a number.
        """
        train = self._splits.of(context.task, "train", torch.device(context.device))
        settings = Settings.of(self.options, context, len(train))
        run = Run.start(candidate.build(context.task, context.seed), settings)
        epoch = partial(train_epoch, run, train, settings, context)
        ForGood(self.options, candidate, context).train(Stage(run, settings, epoch, until=self.options.epochs))
        return run.network

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
