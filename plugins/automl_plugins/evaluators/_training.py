"""The training loop of the evaluator ``train``: optimiser, schedule, one epoch, one pass of validation."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from pydantic import Field
from torch import Tensor, nn

from automl import (
    ConfigurationError,
    Context,
    EvaluatorOptions,
    Metric,
    Split,
    SplitName,
    Task,
    derive_seed,
    training_outputs,
)
from automl_plugins.evaluators._augment import light_augmentation

_RATES = {"sgd": 0.1, "adamw": 1e-2}
_DECAYS = {"sgd": 5e-4, "adamw": 1e-2}
_LEAST_STEPS = 8
_VALIDATION_BATCH = 256

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


@runtime_checkable
class _Movable(Protocol):
    """A split that can be put on a device as a whole."""

    def to(self, device: torch.device) -> Split:
        """Return the split on ``device``."""


class TrainingDiverged(FloatingPointError):
    """A loss became infinite or not a number."""


class TrainOptions(EvaluatorOptions):
    """Options of `Train`."""

    epochs: int = Field(default=10, ge=1)
    """Passes over the training split of a full evaluation; the learning rate reaches 0 at the end of the
    last."""

    batch_size: int = Field(default=64, ge=1)
    """Examples a step; fewer where the training split is so small that an epoch would have less than eight
    steps."""

    optimizer: Literal["sgd", "adamw"] = "adamw"
    """`sgd` has Nesterov momentum; `adamw` is the safer choice across unlike architectures and few epochs."""

    learning_rate: float | None = Field(default=None, gt=0)
    """Highest learning rate; by default 0.1 for sgd and 0.01 for adamw."""

    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Momentum of sgd, and the first beta of adamw."""

    weight_decay: float | None = Field(default=None, ge=0)
    """Decay of weights, not of biases and normalisation; by default 5e-4 for sgd and 0.01 for adamw."""

    warmup_epochs: float = Field(default=1.0, ge=0)
    """Epochs in which the learning rate rises from 0, at most half of all."""

    schedule: Literal["cosine", "constant"] = "cosine"
    """Course of the learning rate after the rise: to 0 along a half cosine, step by step, or unchanged."""

    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    """Share of the target that is spread over all classes; classification only."""

    augmentation: Literal["none", "light"] = "none"
    """`light` changes training inputs as the task does, where it has an augmentation of its own; else it shifts images
    by up to an eighth of their size, and mirrors them where the task says that means the same."""

    precision: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Precision of the forward pass: `auto` is bfloat16 (float16 on older cards) on CUDA and float32
    elsewhere."""

    channels_last: bool | None = None
    """Whether images are stored channels last; by default on CUDA, where it pays at reduced precision."""

    gradient_clip: float | None = Field(default=None, gt=0)
    """Largest norm of the whole gradient; unlimited by default."""

    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between two looks at the validation split; there is always one after the last epoch."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`TrainOptions` made definite for one task and device."""

    options: TrainOptions
    device: torch.device
    batch_size: int
    drop_last: bool
    steps: int
    precision: torch.dtype | None
    is_channels_last: bool
    is_augmented: bool
    is_flipped: bool

    @classmethod
    def of(cls, options: TrainOptions, context: Context, examples: int) -> Settings:
        """Return the settings for ``examples`` training examples.

        The last batch of an epoch is left out when it would be one example, which batch normalisation cannot
        take.
        """
        task, device = context.task, torch.device(context.device)
        batch_size = max(1, min(options.batch_size, max(2, examples // _LEAST_STEPS)))
        drop_last = examples % batch_size == 1 and examples > batch_size > 1
        is_cuda = device.type == "cuda"
        wants_last = is_cuda if options.channels_last is None else options.channels_last
        return cls(
            options,
            device,
            batch_size,
            drop_last,
            examples // batch_size if drop_last else math.ceil(examples / batch_size),
            _precision(options.precision, device),
            wants_last and task.is_image,
            options.augmentation == "light",
            task.horizontal_flip,
        )

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step of the whole run, counted from 0.

        The cosine schedule is Eq. 5 of [1] without restarts, and reaches 0 after the last step.

        [1] Loshchilov and Hutter. SGDR: stochastic gradient descent with warm restarts. ICLR 2017.
        """
        options = self.options
        highest = options.learning_rate or _RATES[options.optimizer]
        total = options.epochs * self.steps
        warmup = round(min(options.warmup_epochs, options.epochs / 2) * self.steps)
        if step < warmup:
            return highest * (step + 1) / (warmup + 1)
        if options.schedule == "constant":
            return highest
        return highest * (1 + math.cos(math.pi * (step - warmup) / (total - warmup))) / 2

    def autocast(self) -> torch.autocast:
        """Return the context in which networks and losses are computed."""
        dtype = self.precision or torch.bfloat16
        return torch.autocast(self.device.type, dtype=dtype, enabled=self.precision is not None)

    def arranged(self, inputs: Tensor) -> Tensor:
        """Return a batch of inputs in the memory format that the network has."""
        return inputs.contiguous(memory_format=torch.channels_last) if self.is_channels_last else inputs


@dataclass(slots=True)
class Run:
    """A network in training, and how far it has come.

    ``others`` are optimisers of parameters that ``optimizer`` leaves out; their owner takes their steps.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    epoch: int = 0
    seconds: float = 0.0
    train_loss: float = math.nan
    others: tuple[torch.optim.Optimizer, ...] = ()

    @classmethod
    def start(cls, network: nn.Module, settings: Settings) -> Run:
        """Move a fresh network to the device and give it an optimiser."""
        network = network.to(settings.device)
        if settings.is_channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        scaler = torch.amp.GradScaler(settings.device.type, enabled=settings.precision is torch.float16)
        return cls(network, _optimizer(network, settings), scaler)


class Splits:
    """The splits of a task, moved to a device once if they can be; they stay there for the next candidate."""

    def __init__(self) -> None:
        self._moved: dict[tuple[str, SplitName], tuple[Task, Split]] = {}

    def of(self, task: Task, name: SplitName, device: torch.device) -> Split:
        """Return a split on ``device``."""
        split = task.split(name)
        if device.type == "cpu" or not isinstance(split, _Movable):
            return split
        owner, moved = self._moved.get((str(device), name), (None, split))
        if owner is not task:
            moved = split.to(device)
            self._moved[str(device), name] = (task, moved)
        return moved


def epochs_wanted(epochs: int, context: Context, evaluator: str) -> int:
    """Return the number of epochs, of ``epochs`` at most, that the context's fidelity asks for.

    Raises:
        ConfigurationError: the fidelity is beyond ``epochs``.
    """
    if context.fidelity is None:
        return epochs
    if not 0 < context.fidelity <= epochs:
        raise ConfigurationError(
            f"`fidelity` must be above 0 and at most `{evaluator}.epochs` = {epochs}, "
            f"but got {context.fidelity:g}; change one of the two"
        )
    return max(1, round(context.fidelity))


def training_metrics(task: Task) -> tuple[Metric, ...]:
    """Return what every training reports: what `validate` finds on ``task``, and the course of the training."""
    return (_CLASSIFICATION if task.task_kind == "classification" else _REGRESSION) + _ALWAYS


def train_epoch(run: Run, split: Split, settings: Settings, context: Context) -> None:
    """Train for one more epoch.

    Its order, augmentation and dropout depend on the context's seed and the epoch's number alone, so that a
    run that goes on from a checkpoint is the run that was never interrupted. The loss is fetched from the
    device once.

    Raises:
        TrainingDiverged: the loss is not finite.
    """
    started = time.perf_counter()
    epoch = run.epoch + 1
    run.network.train()
    shuffle = torch.Generator().manual_seed(derive_seed(context.seed, "shuffle", epoch))
    augment = torch.Generator(settings.device).manual_seed(derive_seed(context.seed, "augment", epoch))
    batches = split.batches(settings.batch_size, settings.device, shuffle=shuffle, drop_last=settings.drop_last)
    total, seen = torch.zeros((), device=settings.device), 0
    with seeded(derive_seed(context.seed, "dropout", epoch), settings.device):
        for index, (inputs, targets) in enumerate(batches):
            context.check()
            if settings.is_augmented:
                inputs = _augmented(inputs, settings, context.task, augment)
            rate = settings.learning_rate(run.epoch * settings.steps + index)
            total += take_step(run, settings.arranged(inputs), targets, rate, settings, context) * len(targets)
            seen += len(targets)
    loss = float(total) / seen
    if not math.isfinite(loss):
        raise TrainingDiverged(f"training diverged: loss is {loss} at epoch {epoch}; try a lower learning rate")
    run.epoch, run.train_loss = epoch, loss
    run.seconds += time.perf_counter() - started


def _augmented(inputs: Tensor, settings: Settings, task: Task, generator: torch.Generator) -> Tensor:
    """Return ``inputs`` as the task changes them, or else as images are."""
    own = task.augment(inputs, generator)
    if own is not None or not task.is_image:
        return inputs if own is None else own
    return light_augmentation(inputs, settings.is_flipped, generator)


def validate(run: Run, split: Split, settings: Settings, context: Context) -> dict[str, float]:
    """Return the task's metrics on ``split``, each name with ``val_`` before it.

    Raises:
        TrainingDiverged: the loss is not finite.
    """
    run.network.eval()
    outputs, truths = [], []
    with torch.inference_mode(), seeded(derive_seed(context.seed, "validation"), settings.device):
        for inputs, targets in split.batches(_VALIDATION_BATCH, settings.device):
            context.check()
            with settings.autocast():
                outputs.append(run.network(settings.arranged(inputs)).float())
            truths.append(targets)
        found = context.task.metrics(torch.cat(outputs), torch.cat(truths))
    if not math.isfinite(found["loss"]):
        raise TrainingDiverged(
            f"training diverged: validation loss is {found['loss']} at epoch {run.epoch}; try a lower learning rate"
        )
    return {f"val_{name}": value for name, value in found.items()}


def take_step(run: Run, inputs: Tensor, targets: Tensor, rate: float, settings: Settings, context: Context) -> Tensor:
    """Take one step and return its loss, auxiliary outputs included, on the device and detached."""
    options = settings.options
    for group in run.optimizer.param_groups:
        group["lr"] = rate
    with settings.autocast():
        outputs, auxiliary = training_outputs(run.network, inputs)
    loss = context.task.loss(outputs.float(), targets, label_smoothing=options.label_smoothing)
    for weight, others in auxiliary:
        loss = loss + weight * context.task.loss(others.float(), targets, label_smoothing=options.label_smoothing)
    run.optimizer.zero_grad(set_to_none=True)
    run.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
    if options.gradient_clip is not None:
        run.scaler.unscale_(run.optimizer)
        nn.utils.clip_grad_norm_(run.network.parameters(), options.gradient_clip)
    run.scaler.step(run.optimizer)
    run.scaler.update()
    return loss.detach()


def _optimizer(network: nn.Module, settings: Settings) -> torch.optim.Optimizer:
    """Return the optimiser, fused where torch has that, with weight decay on matrices and kernels alone."""
    options = settings.options
    decay = _DECAYS[options.optimizer] if options.weight_decay is None else options.weight_decay
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    filled = [group for group in groups if group["params"]]
    fused = settings.device.type in ("cpu", "cuda") or None
    if options.optimizer == "adamw":
        return torch.optim.AdamW(filled, lr=0.0, betas=(options.momentum, 0.999), fused=fused)
    nesterov = options.momentum > 0
    return torch.optim.SGD(filled, lr=0.0, momentum=options.momentum, nesterov=nesterov, fused=fused)


def _precision(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the dtype of mixed precision, or ``None`` for plain float32."""
    if precision == "float32" or (precision == "auto" and device.type != "cuda"):
        return None
    if precision == "auto":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if precision == "bfloat16" else torch.float16


@contextmanager
def seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generators, which dropout draws from, and put them back after the block."""
    is_cuda = device.type == "cuda"
    index = torch.cuda.current_device() if is_cuda and device.index is None else device.index
    with torch.random.fork_rng(devices=[index] if is_cuda else []):
        torch.set_rng_state(torch.Generator().manual_seed(seed).get_state())
        if is_cuda:
            torch.cuda.set_rng_state(torch.Generator(device).manual_seed(seed).get_state(), index)
        yield
