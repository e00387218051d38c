"""Evaluator ``lga``: label-gradient alignment of the tangent kernel [1], at initialisation and in short training.

The alignment is that of the kernel of one batch of training examples with the kernel of their labels; it is measured
before training and after every epoch. [1] finds measures of the kernel at initialisation unreliable, and this one
useful after a little training; so the number of epochs is the fidelity.

Deviations from [1], and what it leaves open:

* Batch normalisation: `frozen` statistics by default, because the kernel of a network whose examples are coupled is not
  that of a function of one example. They are set by one pass of the very batch, before training and after each epoch:
  the running averages of training say nothing at the start and lag behind in the first epochs, so that the curve would
  jump for no reason of the kernel's. `batch` differentiates through the statistics, as published ports do.
* The learning rate is constant after a linear rise of an epoch, so that the alignment after t epochs does not depend on
  how many were planned.
* Classes are balanced in the batch, 64 examples by default.

[1] Mok et al. Demystifying the neural tangent kernel from a practical perspective: can it be trusted for neural
    architecture search without training? CVPR 2022.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, TypeAlias

import torch
from pydantic import Field
from torch import nn

from automl import Candidate, Context, Criterion, Evaluator, Metric, Reading, Task, Unmeasurable, derive_seed
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators._checkpoint import Checkpoint
from automl_plugins.evaluators._lga import Aligned, Centring, Gauge, Route, TokenTargets, label_kernel
from automl_plugins.evaluators._training import (
    Run,
    Settings,
    Splits,
    TrainingDiverged,
    TrainOptions,
    epochs_wanted,
    train_epoch,
)

_Point: TypeAlias = Aligned | Unmeasurable

_SAVE_EVERY_SECONDS = 60.0


class LgaOptions(TrainOptions):
    """Options of `Lga`: those of `train`, with which it trains, and those of the kernel."""

    epochs: int = Field(default=2, ge=0)
    """Epochs of training before the alignment is measured; 0 measures at initialisation alone."""

    schedule: Literal["cosine", "constant"] = "constant"
    """Course of the learning rate after the rise; with `cosine` the alignment depends on `epochs` from the start."""

    evaluate_every: int = Field(default=1, ge=1)
    """Epochs between two points of the curve."""

    curve: bool = True
    """Measure at initialisation, after epochs and at the end; otherwise at initialisation and at the end alone."""

    kernel_size: int = Field(default=64, ge=2)
    """Training examples that the kernel is of, classes balanced; all where there are fewer."""

    center: Centring = "mean"
    """`mean` subtracts the mean of all entries, as published; `double` those of rows and columns (centred kernel
    alignment)."""

    bn_mode: Literal["frozen", "batch"] = "frozen"
    """Statistics of batch normalisation: fixed by a pass of the batch, or differentiated through."""

    parameters: Literal["all", "weights"] = "all"
    """Parameters that the kernel is of: all trainable ones, or those with `weight` in their name."""

    reduction: Literal["sum_logits", "trace"] = "sum_logits"
    """The kernel of the sum of all outputs, or the mean over outputs of the kernels of each."""

    token_targets: TokenTargets = "flattened"
    """How targets that are sequences are compared: position by position, or by how often each target occurs."""

    method: Route = "auto"
    """`explicit` forms the kernel. `matrix_free` takes backward passes for the labels and for `probes`, and estimates
    the norm of the kernel. `auto` forms it, unless batch normalisation couples the examples and the other way takes a
    quarter of the passes at most, as for 128 examples of ten classes."""

    probes: int = Field(default=16, ge=3)
    """Random directions that `matrix_free` estimates the norm from; exact from `kernel_size` on."""


class Lga(Evaluator):
    """Alignment of the tangent kernel with the labels, in [-1, 1], before training and during a few epochs.

    The fidelity is a number of epochs out of ``epochs``, as in `train`, and a promoted candidate goes on from its
    checkpoint. Each point of the curve is reported as ``lga`` at its epoch. What has no alignment (a batch of one
    class, a kernel that is constant or not finite, training that diverges) is left out, with a remark.

    >>> [metric.name for metric in Lga(LgaOptions(epochs=0)).metrics(None)]
    ['lga', 'lga_time']
    """

    paper: ClassVar[str] = "Mok et al. Demystifying the neural tangent kernel from a practical perspective. CVPR 2022."
    Options: ClassVar[type[LgaOptions]] = LgaOptions

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._splits = Splits()

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the alignment; with training also that at initialisation, and what an epoch changes."""
        found = [Metric("lga", "max", doc="Alignment of kernel and labels after the last epoch.")]
        if self.options.epochs:
            found += [
                Metric("lga_initial", "max", doc="Alignment at initialisation."),
                Metric("lga_velocity", "max", unit="1/epoch", doc="Mean change of the alignment in an epoch."),
            ]
        if self.options.method == "matrix_free" or (self.options.method, self.options.bn_mode) == ("auto", "batch"):
            found.append(Metric("lga_error", "min", doc="Standard error of lga, from the probes; 0 if exact."))
        return (
            *found,
            Metric("lga_time", "min", "s", "Seconds spent, earlier training too.", is_measured=True),
        )

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Measure at initialisation, then train and measure.

        Raises:
            ConfigurationError: the fidelity is beyond ``epochs``.
        """
        began = time.perf_counter()
        epochs = epochs_wanted(self.options.epochs, context, "lga")
        initial: _Point
        last: _Point
        earlier = 0.0
        try:
            gauge = self._gauge(context)
        except Unmeasurable as reason:
            initial = last = reason
        else:
            network = candidate.build(context.task, context.seed).to(context.device)
            initial = gauge.measure(network)
            last, earlier = self._trained(candidate, network, initial, epochs, gauge, context)
        readings = _readings(initial, last, epochs)
        found = {"lga_time": earlier + time.perf_counter() - began}
        for metric in self.metrics(context.task):
            reading = readings.get(metric.name)
            if isinstance(reading, Unmeasurable):
                context.remark(metric.name, str(reading))
            elif reading is not None:
                found[metric.name] = reading
        return found

    def _gauge(self, context: Context) -> Gauge:
        """Draw the batch; raises `Unmeasurable` where its labels tell nothing apart."""
        options, task = self.options, context.task
        inputs, targets = labelled_batch(task, options.kernel_size, context.seed, torch.device(context.device))
        gauge = Gauge(
            inputs,
            label_kernel(targets, Criterion.of(task).kind, options.token_targets),
            center=options.center,
            bn_mode=options.bn_mode,
            parameters=options.parameters,
            reduction=options.reduction,
            route=options.method,
            probes=options.probes,
            seed=derive_seed(context.seed, "alignment probes"),
            check=context.check,
        )
        gauge.check_labels()
        return gauge

    def _trained(
        self, candidate: Candidate, network: nn.Module, initial: _Point, epochs: int, gauge: Gauge, context: Context
    ) -> tuple[_Point, float]:
        """Train ``network`` and report the curve; return its last point, and seconds that earlier rungs spent."""
        if not epochs:
            _report(context, 0, initial)
            return initial, 0.0
        split = self._splits.of(context.task, "train", torch.device(context.device))
        settings = Settings.of(self.options, context, len(split))
        run = Run.start(network, settings)
        checkpoint = Checkpoint.of(candidate, self.options, context, "lga")
        if checkpoint is not None:
            checkpoint.restore(run, epochs)
        earlier, saved_at = run.seconds, time.monotonic()
        point = initial if run.epoch == 0 else gauge.measure(run.network)
        if run.epoch == 0:
            _report(context, 0, initial)
        while run.epoch < epochs:
            try:
                train_epoch(run, split, settings, context)
            except TrainingDiverged as error:
                return Unmeasurable("not_finite", str(error)), earlier
            is_last = run.epoch == epochs
            is_saved = is_last and context.fidelity is not None
            if checkpoint is not None and (is_saved or time.monotonic() - saved_at > _SAVE_EVERY_SECONDS):
                checkpoint.save(run)
                saved_at = time.monotonic()
            if is_last or (self.options.curve and run.epoch % self.options.evaluate_every == 0):
                point = gauge.measure(run.network)
                _report(context, run.epoch, point)
        if checkpoint is not None and context.fidelity is None:
            checkpoint.remove()
        return point, earlier


def _report(context: Context, epoch: int, point: _Point) -> None:
    """Add a point to the curve, if there is one."""
    if isinstance(point, Aligned):
        context.report(epoch, {"lga": point.value})


def _readings(initial: _Point, last: _Point, epochs: int) -> dict[str, Reading]:
    """Return every metric but the clock's, or why it has no value."""
    if isinstance(last, Unmeasurable):
        lost: dict[str, Reading] = dict.fromkeys(("lga", "lga_velocity", "lga_error"), last)
        return {**lost, "lga_initial": _value(initial)}
    velocity = initial if isinstance(initial, Unmeasurable) else (last.value - initial.value) / max(epochs, 1)
    return {"lga": last.value, "lga_error": last.error, "lga_velocity": velocity, "lga_initial": _value(initial)}


def _value(point: _Point) -> Reading:
    return point.value if isinstance(point, Aligned) else point
