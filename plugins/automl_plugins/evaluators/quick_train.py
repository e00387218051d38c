"""Evaluator ``quick_train``: what a hundred steps of training make of a network, the quality test of [1].

[1] trains for 100 steps and rejects what is below 20 % of accuracy, where chance is 10 %. We could not read again with
which optimiser; ours is SGD with momentum and a constant learning rate, without weight decay or augmentation.

Validation is in training mode but for dropout: moments are those of the batch. Running moments lag behind the weights
after 100 steps, so that evaluation mode would reject layers for their bookkeeping.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from automl import Candidate, Context, Evaluator, EvaluatorOptions, Metric, Split, Task, derive_seed
from automl_plugins.evaluators._batch_statistics import use_batch_statistics
from automl_plugins.evaluators._training import Run, Settings, Splits, TrainOptions, seeded, take_step

_ACCURACY = Metric("quick_accuracy", "max", doc="Share of validation examples classified rightly; 0 if it diverged.")
_R2 = Metric("quick_r2", "max", doc="Coefficient of determination in validation, at least -1; -1 if it diverged.")
_DIVERGED = Metric("quick_diverged", "min", doc="1 if a loss became infinite or no number, else 0.")

_WORST = {"quick_accuracy": 0.0, "quick_r2": -1.0}


class QuickTrainOptions(EvaluatorOptions):
    """Options of `QuickTrain`."""

    reject: tuple[str, ...] = ("quick_diverged.* > 0",)
    """Reject a candidate when one of these holds. Published: `quick_accuracy.* < 0.2`, in any variant and for ten
    classes; a candidate that diverged has the worst value, so that this rejects it too."""

    steps: int = Field(default=100, ge=1)
    """Steps of training, over as many epochs as they need."""

    batch_size: int = Field(default=64, ge=2)
    """Examples of a step, and of a batch of validation, whose moments are used."""

    learning_rate: float = Field(default=0.1, gt=0)
    """Learning rate, the same in every step."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Nesterov momentum."""


class QuickTrain(Evaluator):
    """Train for a few steps of SGD and measure the network on the validation split with the moments of each batch.

    Initial weights, order of examples and dropout derive from the context's seed. A loss that is infinite or no number
    is no failure but a finding: ``quick_diverged`` is 1, with a remark.

    >>> QuickTrain(QuickTrainOptions(steps=50)).options.reject
    ('quick_diverged.* > 0',)
    """

    paper: ClassVar[str] = "Liu et al. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967."
    Options = QuickTrainOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._splits = Splits()

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        return (_ACCURACY if task.task_kind == "classification" else _R2, _DIVERGED)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        device = torch.device(context.device)
        train, validation = (self._splits.of(context.task, name, device) for name in ("train", "validation"))
        settings = Settings.of(self._training(), context, len(train))
        run = Run.start(candidate.build(context.task, context.seed), settings)
        main = self.metrics(context.task)[0].name
        trouble = self._train(run, train, settings, context)
        if trouble is None:
            found, trouble = _validated(run, validation, settings, context)
        if trouble is not None:
            context.remark(main, trouble)
            context.remark("quick_diverged", trouble)
            return {main: _WORST[main], "quick_diverged": 1.0}
        return {main: max(found[main.removeprefix("quick_")], _WORST[main]), "quick_diverged": 0.0}

    def _training(self) -> TrainOptions:
        options = self.options
        return TrainOptions(
            optimizer="sgd",
            batch_size=options.batch_size,
            learning_rate=options.learning_rate,
            momentum=options.momentum,
            weight_decay=0.0,
            precision="float32",
        )

    def _train(self, run: Run, split: Split, settings: Settings, context: Context) -> str | None:
        """Train for all steps; return what went wrong, looked at every ten steps, so that no device waits for it."""
        run.network.train()
        total = torch.zeros((), device=settings.device)
        with seeded(derive_seed(context.seed, "quick dropout"), settings.device):
            batches = itertools.islice(_endless(split, settings, context.seed), self.options.steps)
            for step, (inputs, targets) in enumerate(batches, 1):
                context.check()
                rate = self.options.learning_rate
                total += take_step(run, settings.arranged(inputs), targets, rate, settings, context)
                if (step % 10 == 0 or step == self.options.steps) and not math.isfinite(float(total)):
                    return f"training diverged: the loss is not finite within {step} steps"
        return None


def _endless(split: Split, settings: Settings, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches, epoch after epoch, each in an order of its own."""
    for epoch in itertools.count(1):
        shuffle = torch.Generator().manual_seed(derive_seed(seed, "quick shuffle", epoch))
        yield from split.batches(settings.batch_size, settings.device, shuffle=shuffle, drop_last=settings.drop_last)


def _validated(run: Run, split: Split, settings: Settings, context: Context) -> tuple[Mapping[str, float], str | None]:
    """Return the task's metrics on ``split``, or what went wrong.

    The split is shuffled: where it is sorted by class, the moments of its batches would tell. A last batch of a single
    example, which has no moments, is left out.
    """
    use_batch_statistics(run.network)
    shuffle = torch.Generator().manual_seed(derive_seed(context.seed, "quick validation"))
    size = settings.batch_size
    drop_last = len(split) % size == 1 and len(split) > 1
    outputs, truths = [], []
    with torch.inference_mode(), seeded(derive_seed(context.seed, "quick draws"), settings.device):
        for inputs, targets in split.batches(size, settings.device, shuffle=shuffle, drop_last=drop_last):
            context.check()
            outputs.append(run.network(settings.arranged(inputs)).float())
            truths.append(targets)
        found = context.task.metrics(torch.cat(outputs), torch.cat(truths))
    if not math.isfinite(found["loss"]):
        return {}, f"training diverged: the validation loss is {found['loss']}"
    return found, None
