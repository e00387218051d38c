"""Evaluator ``select``: train a network that chooses among candidates of its own, then the one that it chose [1].

Three stages: the weights of all candidates at equal shares; the logits of the choice, on held-out examples of the
training split, while the mixture sharpens; and what was chosen alone. [1] names the three (full training, selective
training, pruning) and no more was found of them. Ours are their lengths, the softmax with a falling temperature, a
learning rate that starts anew for the last stage, and that the first stage trains one candidate at a time.

That last choice is from a test with one node and a known answer: ten seeds each of a sine and of a zigzag, Fourier
series against piecewise linear functions, 60 epochs of 300 examples. One at a time, all twenty are right; trained
together, the two complement each other, their sum leaves nothing to gain by a choice, and twelve are right.

[1] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import torch
from torch import nn

from automl import Candidate, Context, Evaluator, Metric, Split, Task, TensorSplit, chosen_network
from automl_plugins.evaluators._checkpoint import Checkpoint
from automl_plugins.evaluators._selecting import Chooser, Parts, Plan, SelectOptions, in_memory, parameters_of
from automl_plugins.evaluators._stages import Course, ForGood, Stage
from automl_plugins.evaluators._training import (
    Run,
    Settings,
    Splits,
    epochs_wanted,
    train_epoch,
    training_metrics,
    validate,
)

_SAVE_EVERY_SECONDS = 60.0

_OF_THE_CHOICE = (
    Metric("certainty", "max", doc="Mean weight of what was chosen, from 1 / candidates (no opinion) to 1."),
    Metric("chosen_params", "min", doc="Trainable parameters of the network of what was chosen."),
)


class Select(Evaluator):
    """Train a network, let it choose among the candidates that it mixes, and report its validation metrics.

    For networks with modules that choose (`automl.Selectable`), as those of ``kan`` with the family ``selected``; every
    other network is trained as ``train`` does. The validation split is for the metrics alone: what is chosen follows
    from the training split. What was chosen is a remark on ``certainty``.

    The fidelity is a number of epochs out of ``epochs``, cut off where it is reached: below the last stage it is the
    mixture that is measured.

    >>> Select(SelectOptions(epochs=20)).options.stages
    (0.5, 0.3, 0.2)
    """

    paper: ClassVar[str] = "Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338."
    Options = SelectOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._splits = Splits()
        self._whole: tuple[Task, torch.device, TensorSplit] | None = None

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return training_metrics(task) + _OF_THE_CHOICE

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Run the stages.

        Raises:
            TrainingDiverged: a loss became infinite or not a number.
            ConfigurationError: the fidelity is beyond ``epochs``, or the training split too large to be parted.
        """
        epochs = epochs_wanted(self.options.epochs, context, "select")
        validation = self._splits.of(context.task, "validation", torch.device(context.device))
        course = _Search(self.options, candidate, context, epochs, validation)
        own, run = self._trained(candidate, course)
        reached = {**course.found, **own, "train_loss": run.train_loss, "train_time": run.seconds}
        course.forget()
        reached["chosen_params"] = float(parameters_of(run.network))
        return {metric.name: reached[metric.name] for metric in self.metrics(context.task) if metric.name in reached}

    def retrain(self, candidate: Candidate, context: Context) -> nn.Module:
        """Run all stages on the context's training split, and return the network of what was chosen.

        What the logits are trained on is a part of that split, too; no other is looked at: see `automl.Trainer`.

        Raises:
            TrainingDiverged: a loss became infinite or not a number.
            ConfigurationError: the training split is too large to be parted.
        """
        _, run = self._trained(candidate, ForGood(self.options, candidate, context))
        return run.network

    def _trained(self, candidate: Candidate, course: Course) -> tuple[dict[str, float], Run]:
        """Train a fresh network; return the certainty, if it has something to choose, and the last run."""
        context = course.context
        network = candidate.build(context.task, context.seed)
        chooser = Chooser(network, self.options, Plan.of(self.options))
        if chooser.modules:
            return self._choose(chooser, course)
        context.remark("certainty", "unsupported: the network has nothing to choose")
        return {}, self._train_plainly(network, course)

    def _train_plainly(self, network: nn.Module, course: Course) -> Run:
        """Train as the evaluator ``train`` does."""
        context = course.context
        train = self._splits.of(context.task, "train", torch.device(context.device))
        settings = Settings.of(self.options, context, len(train))
        run = Run.start(network, settings)
        epoch = partial(train_epoch, run, train, settings, context)
        course.train(Stage(run, settings, epoch, until=course.epochs, name="plain"))
        return run

    def _choose(self, chooser: Chooser, course: Course) -> tuple[dict[str, float], Run]:
        """Run the three stages; return the certainty, and the run of the last stage reached."""
        context, plan = course.context, chooser.plan
        parts = Parts.of(self._in_memory(context), self.options.held_out, context.seed)
        settings = Settings.of(self._lasting(plan.end), context, len(parts.weights))
        run = chooser.start(settings)

        def epoch() -> None:
            stage = chooser.mix_epoch if run.epoch < plan.begin else chooser.choose_epoch
            stage(run, parts, settings, context)

        course.train(Stage(run, settings, epoch, until=min(plan.end, course.epochs), name="select"))
        own = {"certainty": chooser.certainty()}
        if course.epochs <= plan.end:
            context.remark("certainty", f"not chosen yet after {course.epochs} epochs; so far: {chooser.summary()}")
            return own, run
        context.remark("certainty", f"chosen: {chooser.summary()}")
        chooser.finish()
        settings = Settings.of(self._lasting(self.options.epochs - plan.end), context, len(parts.whole))
        last = Run.start(chosen_network(run.network), settings)
        last.seconds = run.seconds
        tail = partial(train_epoch, last, parts.whole, settings, context)
        course.train(Stage(last, settings, tail, until=course.epochs, after=plan.end, name="chosen"))
        return own, last

    def _lasting(self, epochs: int) -> SelectOptions:
        """Return the options with a learning rate that has its whole course within ``epochs``."""
        options: SelectOptions = self.options
        return options.model_copy(update={"epochs": epochs})

    def _in_memory(self, context: Context) -> TensorSplit:
        """Return the training split as tensors, made once for a task and device."""
        task, device = context.task, torch.device(context.device)
        if self._whole is None or self._whole[0] is not task or self._whole[1] != device:
            self._whole = task, device, in_memory(task.split("train"), task, device)
        return self._whole[2]


@dataclass(slots=True)
class _Search:
    """The course of an evaluation: where it is, and what was found at the last look at the validation split."""

    options: SelectOptions
    candidate: Candidate
    context: Context
    epochs: int
    validation: Split
    found: dict[str, float] = field(default_factory=dict)

    def train(self, stage: Stage) -> None:
        """Train until the end of the stage; report and look as ``train`` does.

        The end of a stage is kept where another follows or a rung may, as the next is rebuilt from there.
        """
        context, run = self.context, stage.run
        checkpoint = Checkpoint.of(self.candidate, self.options, context, f"select_{stage.name}")
        if checkpoint is not None:
            checkpoint.restore(run, stage.until - stage.after)
        if stage.after + run.epoch == self.epochs:
            self.found = self._look(stage)
        saved_at = time.monotonic()
        while stage.after + run.epoch < stage.until:
            stage.epoch()
            done = stage.after + run.epoch
            is_last = done == self.epochs
            is_looked_at = is_last or done % self.options.evaluate_every == 0
            self.found = self._look(stage) if is_looked_at else {}
            is_wanted = done == stage.until and (context.fidelity is not None or not is_last)
            if checkpoint is not None and (is_wanted or time.monotonic() - saved_at > _SAVE_EVERY_SECONDS):
                checkpoint.save(run)
                saved_at = time.monotonic()
            context.report(done, {"train_loss": run.train_loss, **self.found})
        run.network.eval()

    def forget(self) -> None:
        """Remove the checkpoints of a full evaluation, which has nothing to go on to."""
        for name in ("plain", "select", "chosen") if self.context.fidelity is None else ():
            checkpoint = Checkpoint.of(self.candidate, self.options, self.context, f"select_{name}")
            if checkpoint is not None:
                checkpoint.remove()

    def _look(self, stage: Stage) -> dict[str, float]:
        return validate(stage.run, self.validation, stage.settings, self.context)
