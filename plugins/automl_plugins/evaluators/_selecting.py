"""The stages of the evaluator ``select``: who trains what on which examples, and when."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from pydantic import Field, field_validator
from torch import Tensor, nn

from automl import ConfigurationError, Context, Selectable, Split, Task, TensorSplit, derive_seed, selectables
from automl_plugins.evaluators._training import (
    Run,
    Settings,
    TrainingDiverged,
    TrainOptions,
    seeded,
    take_step,
    train_epoch,
)

_LARGEST_BYTES = 8 << 30
_BATCH = 1024


class SelectOptions(TrainOptions):
    """Options of `Select`: those of `train`, for the weights, and those of the choice."""

    epochs: int = Field(default=10, ge=3)
    """Epochs of a full evaluation, all stages together."""

    stages: tuple[float, float, float] = (0.5, 0.3, 0.2)
    """Shares of the epochs: the mixture at equal weights, its choice, and the network of what was chosen. Each has an
    epoch at least."""

    held_out: float = Field(default=0.3, gt=0, lt=1)
    """Share of the training split that only the logits are trained on; after the choice the weights have it, too."""

    logit_learning_rate: float = Field(default=0.1, gt=0)
    """Learning rate of the logits, with Adam, without decay."""

    temperature: float = Field(default=0.1, gt=0, le=1)
    """Temperature of the mixture at the end of the choice, which starts at 1 and falls by the same factor each step."""

    train_both: bool = False
    """Whether the weights are trained during the choice, too, a step after each of the logits, as in DARTS."""

    paths: int | None = Field(default=1, ge=1)
    """Candidates of a step, drawn at random; none for all of them. With 1 each learns to do alone, and is chosen for
    that; trained together they learn to complement each other. The choice takes 2 at least: one has no weight."""

    @field_validator("stages")
    @classmethod
    def _shares(cls, value: tuple[float, float, float]) -> tuple[float, float, float]:
        """Raise `ValueError` unless these are shares."""
        if min(value) <= 0 or abs(sum(value) - 1) > 1e-6:
            raise ValueError(f"needs three shares above 0 that add up to 1, but they add up to {sum(value):g}")
        return value


@dataclass(frozen=True, slots=True)
class Plan:
    """Epochs after which the choice begins and ends, of ``epochs`` in all."""

    begin: int
    end: int
    epochs: int

    @classmethod
    def of(cls, options: SelectOptions) -> Plan:
        """Return the plan, an epoch at least for each stage.

        >>> Plan.of(SelectOptions(epochs=10))
        Plan(begin=5, end=8, epochs=10)
        """
        epochs, (first, second, _) = options.epochs, options.stages
        begin = min(max(1, round(first * epochs)), epochs - 2)
        end = min(max(begin + 1, round((first + second) * epochs)), epochs - 1)
        return cls(begin, end, epochs)


@dataclass(frozen=True, slots=True)
class Parts:
    """A training split, and two parts of it that share no example."""

    whole: TensorSplit
    weights: TensorSplit
    logits: TensorSplit

    @classmethod
    def of(cls, whole: TensorSplit, held_out: float, seed: int) -> Parts:
        """Draw ``held_out`` of the examples for the logits, one at least on each side."""
        count = len(whole)
        held = min(max(1, round(held_out * count)), count - 1)
        drawn = torch.randperm(count, generator=torch.Generator().manual_seed(derive_seed(seed, "held out")))
        order = drawn.to(whole.targets.device)
        parts = [TensorSplit(whole.inputs[rows], whole.targets[rows]) for rows in (order[held:], order[:held])]
        return cls(whole, *parts)


def in_memory(split: Split, task: Task, device: torch.device) -> TensorSplit:
    """Return ``split`` as tensors on ``device``, so that parts of it can be taken.

    Raises:
        ConfigurationError: it is too large for that.
    """
    size = 4 * len(split) * math.prod(task.input_shape)
    if size > _LARGEST_BYTES:
        raise ConfigurationError(
            f"`select` holds the training split in memory, to part it, but it has {size / 2**30:.0f} GiB; "
            "use a smaller part of the data, or the evaluator `train`"
        )
    if isinstance(split, TensorSplit):
        return split.to(device)
    inputs, targets = zip(*split.batches(_BATCH, device), strict=True)
    return TensorSplit(torch.cat(inputs), torch.cat(targets))


class Chooser:
    """Trains the mixtures of a network, stage by stage.

    Attributes:
        modules: all that choose, by name.
        logits: of all of them.
        plan: when to do what.
    """

    def __init__(self, network: nn.Module, options: SelectOptions, plan: Plan) -> None:
        self.modules: dict[str, Selectable] = dict(selectables(network))
        self.logits = [logits for module in self.modules.values() for logits in module.selection_parameters()]
        self._network, self._options, self.plan = network, options, plan

    def start(self, settings: Settings) -> Run:
        """Return a run of the weights alone, the logits' optimiser beside it (betas as in DARTS)."""
        for logits in self.logits:
            logits.requires_grad_(False)
        run = Run.start(self._network, settings)
        for logits in self.logits:
            logits.requires_grad_(True)
        others = torch.optim.Adam(self.logits, lr=self._options.logit_learning_rate, betas=(0.5, 0.999))
        run.others = (others,)
        return run

    def mix_epoch(self, run: Run, parts: Parts, settings: Settings, context: Context) -> None:
        """Train the weights for one more epoch, all candidates alike."""
        self._set_temperature(1.0)
        with self._drawn_paths(self._options.paths, derive_seed(context.seed, "paths", run.epoch)):
            train_epoch(run, parts.weights, settings, context)

    def choose_epoch(self, run: Run, parts: Parts, settings: Settings, context: Context) -> None:
        """Train the logits on their own examples, for as many steps as an epoch of the weights' has.

        With ``train_both`` each is followed by a step of the weights, as in first-order DARTS.
        """
        started, epoch = time.perf_counter(), run.epoch + 1
        paths = None if self._options.paths is None else max(2, self._options.paths)
        own = _endless(parts.logits, settings, derive_seed(context.seed, "logits", epoch))
        shuffle = torch.Generator().manual_seed(derive_seed(context.seed, "shuffle", epoch))
        batches = parts.weights.batches(
            settings.batch_size, settings.device, shuffle=shuffle, drop_last=settings.drop_last
        )
        total, seen = torch.zeros((), device=settings.device), 0
        run.network.train()
        with (
            seeded(derive_seed(context.seed, "dropout", epoch), settings.device),
            self._drawn_paths(paths, derive_seed(context.seed, "paths", run.epoch)),
        ):
            for index, (inputs, targets) in enumerate(batches):
                context.check()
                self._set_temperature(self._temperature_at(run.epoch + index / settings.steps))
                loss = self._logit_step(run, *next(own), settings, context)
                if self._options.train_both:
                    rate = settings.learning_rate(run.epoch * settings.steps + index)
                    loss = take_step(run, settings.arranged(inputs), targets, rate, settings, context)
                total, seen = total + loss * len(targets), seen + len(targets)
        run.epoch, run.train_loss = epoch, float(total) / seen
        if not math.isfinite(run.train_loss):
            raise TrainingDiverged(
                f"training diverged: loss is {run.train_loss} at epoch {epoch}; try a lower learning rate"
            )
        run.seconds += time.perf_counter() - started

    def finish(self) -> None:
        """Choose."""
        for module in self.modules.values():
            module.choose()

    def certainty(self) -> float:
        """Return the mean over all choices of the largest weight at temperature 1."""
        largest = torch.cat([torch.softmax(logits.detach().double(), -1).amax(-1).flatten() for logits in self.logits])
        return float(largest.mean())

    def summary(self) -> str:
        """Return in one line what each module would choose."""
        parts = []
        for name, module in self.modules.items():
            counts = sorted(module.chosen().items(), key=lambda pair: -pair[1])
            parts.append(f"{name or 'network'}: " + ", ".join(f"{count} {each}" for each, count in counts if count))
        return "; ".join(parts)

    def _logit_step(self, run: Run, inputs: Tensor, targets: Tensor, settings: Settings, context: Context) -> Tensor:
        with settings.autocast():
            outputs = run.network(settings.arranged(inputs))
        loss = context.task.loss(outputs.float(), targets, label_smoothing=self._options.label_smoothing)
        gradients = torch.autograd.grad(loss, self.logits)
        for logits, gradient in zip(self.logits, gradients, strict=True):
            logits.grad = gradient
        run.others[0].step()
        for logits in self.logits:
            logits.grad = None
        return loss.detach()

    def _temperature_at(self, epoch: float) -> float:
        plan = self.plan
        return float(self._options.temperature ** ((epoch - plan.begin) / (plan.end - plan.begin)))

    def _set_temperature(self, temperature: float) -> None:
        for module in self.modules.values():
            module.temperature = temperature

    @contextmanager
    def _drawn_paths(self, paths: int | None, seed: int) -> Iterator[None]:
        """Draw ``paths`` candidates before each call of the network; all are back after the block."""
        generator = torch.Generator().manual_seed(seed)

        def draw(*_: object) -> None:
            for module in self.modules.values():
                module.focus(paths, generator)

        handle = self._network.register_forward_pre_hook(draw)
        try:
            yield
        finally:
            handle.remove()
            for module in self.modules.values():
                module.focus(None)


def _endless(split: TensorSplit, settings: Settings, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches, pass after pass, each in an order of its own; none of one example where there are more."""
    size = min(settings.batch_size, len(split))
    for number in itertools.count():
        shuffle = torch.Generator().manual_seed(derive_seed(seed, "pass", number))
        yield from split.batches(size, settings.device, shuffle=shuffle, drop_last=True)


def parameters_of(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
