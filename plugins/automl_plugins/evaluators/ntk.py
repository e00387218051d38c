"""Evaluator ``ntk``: numbers of the empirical neural tangent kernel, at initialisation or after some epochs.

The kernel is exact (`_ntk.empirical_ntk`). Two conventions are part of every number and are options: how outputs are
reduced, and whether statistics of batch normalisation are constants; networks rank differently by each. TE-NAS [1] has
``reduction = "sum_logits"``, ``bn_mode = "batch"`` and ``parameters = "weights"``. Other than in its code, a λ_min that
is negative by rounding does not make a condition number that ranks best: there is none, and a remark says why.

[1] Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021.
[2] Fort et al. Deep learning versus kernel learning. NeurIPS 2020.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from automl import (
    Candidate,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Task,
    Unmeasurable,
    derive_seed,
)
from automl_plugins.evaluators._batches import labelled_batch
from automl_plugins.evaluators._ntk import (
    BnMode,
    Kernel,
    Method,
    Parameters,
    Reduction,
    Spectrum,
    empirical_ntk,
    frobenius,
    kernel_distance,
    kernel_mean,
    kernel_trace,
)
from automl_plugins.evaluators._training import TrainOptions, epochs_wanted
from automl_plugins.evaluators.train import Train

_SPECTRAL = (
    Metric("ntk_condition", "min", "", "Condition number λ_max / λ_min of the kernel."),
    Metric("ntk_log_condition", "min", "", "Natural logarithm of the condition number."),
    Metric("ntk_smallest", "max", "", "Smallest eigenvalue λ_min."),
    Metric("ntk_largest", "min", "", "Largest eigenvalue λ_max, above which no step of gradient descent converges."),
    Metric("ntk_effective_rank", "max", "", "Exponential of the entropy of the eigenvalues, shares of their sum."),
)
_SIZES = (
    Metric("ntk_frobenius", "max", "", "Frobenius norm of the kernel."),
    Metric("ntk_log_frobenius", "max", "", "Natural logarithm of the Frobenius norm."),
    Metric("ntk_mean", "max", "", "Mean of all entries of the kernel."),
    Metric("ntk_trace", "max", "", "Sum of the diagonal of the kernel."),
)
_CHANGES = (
    Metric("ntk_distance", "min", "", "1 − cosine between the kernels before and after training [2]."),
    Metric("ntk_velocity", "min", "1/epoch", "The same distance for each epoch of training."),
)
_TIME = Metric("ntk_time", "min", "s", "Seconds spent on kernels, training left out.", is_measured=True)

Found = dict[str, float | Unmeasurable]


class NtkOptions(EvaluatorOptions):
    """Options of `Ntk`."""

    batch_size: int = Field(default=32, ge=2)
    """Examples of the training split that the kernel is on; all of a smaller split."""

    sampling: Literal["balanced", "random"] = "balanced"
    """`balanced` draws as many examples of each class as can be; `random` draws from all, as published."""

    reduction: Reduction = "sum_logits"
    """What becomes of the outputs: `sum_logits` is the kernel of their sum, `trace` the mean over outputs of the
    kernels of each, `full` keeps all pairs, `diagonal` is the diagonal of `sum_logits`, which has no spectrum."""

    bn_mode: BnMode = "frozen"
    """Statistics of batch normalisation: constants, found in one pass over the batch, or functions of the `batch`."""

    parameters: Parameters = "all"
    """`all`, or the `weights`: parameters with `weight` in their name, which are not the biases."""

    method: Method = "auto"
    """How it is computed; `auto` takes the quickest that the network allows."""

    repeats: int = Field(default=1, ge=1)
    """Networks and batches, drawn with a seed each, over which a metric is the mean."""

    spread: bool = False
    """Report the standard deviation over the repeats too, as `ntk_mean_spread`."""

    epochs: int = Field(default=0, ge=0)
    """Epochs of training before the kernel is measured. It is the fidelity of a full evaluation. With any, the distance
    to the kernel at initialisation is reported too."""

    training: TrainOptions = TrainOptions()
    """How it is trained; the number of epochs in here is not used."""


class Ntk(Evaluator):
    """The neural tangent kernel on a batch: condition, spectrum, size, and change by training.

    What cannot be measured, as the condition of a singular kernel, is left out, with a remark that says why.

    >>> Ntk(NtkOptions(reduction="trace")).options.bn_mode
    'frozen'
    """

    paper: ClassVar[str] = "Chen, Gong and Wang. Neural architecture search on ImageNet in four GPU hours. ICLR 2021."
    Options: ClassVar[type[NtkOptions]] = NtkOptions

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the metrics of the spectrum, of the size, of the change where it trains, spreads, and the time."""
        return (*self._own(), *self._spreads(), _TIME)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build and perhaps train the candidate, draw a batch, and measure; as often as ``repeats`` says.

        Raises:
            ConfigurationError: the fidelity is beyond ``epochs``.
        """
        seconds, found = 0.0, []
        for repeat in range(self.options.repeats):
            context.check()
            spent, one = self._repeat(candidate, context, repeat)
            seconds += spent
            found.append(one)
        reported: dict[str, float] = {}
        for metric in self._own():
            values = [one[metric.name] for one in found]
            reason = next((value for value in values if isinstance(value, Unmeasurable)), None)
            if reason is not None:
                for missing in (metric.name, f"{metric.name}_spread") if self._spreads() else (metric.name,):
                    context.remark(missing, str(reason))
                continue
            numbers = torch.tensor(values, dtype=torch.float64)
            reported[metric.name] = float(numbers.mean())
            if self._spreads():
                reported[f"{metric.name}_spread"] = float(numbers.std())
        return {**reported, "ntk_time": seconds}

    def _own(self) -> tuple[Metric, ...]:
        spectral = () if self.options.reduction == "diagonal" else _SPECTRAL
        return (*spectral, *_SIZES, *(_CHANGES if self.options.epochs else ()))

    def _spreads(self) -> tuple[Metric, ...]:
        doc = "Standard deviation over the repeats."
        is_spread = self.options.spread and self.options.repeats > 1
        return tuple(Metric(f"{m.name}_spread", "min", m.unit, doc) for m in self._own() if is_spread)

    def _repeat(self, candidate: Candidate, context: Context, repeat: int) -> tuple[float, Found]:
        """Return the seconds that kernels took, and what was found, with one seed."""
        seed = context.seed if repeat == 0 else derive_seed(context.seed, "repeat", repeat)
        is_balanced = self.options.sampling == "balanced"
        inputs, _ = labelled_batch(
            context.task, self.options.batch_size, seed, torch.device(context.device), balanced=is_balanced
        )
        network = candidate.build(context.task, seed).to(context.device)
        began = time.perf_counter()
        kernel = self._kernel(network, inputs)
        seconds = time.perf_counter() - began
        if self.options.epochs == 0:
            return seconds, _measured(kernel)
        epochs = epochs_wanted(self.options.epochs, context, "ntk")
        trained = self._trained(candidate, context, seed, repeat, epochs)
        began = time.perf_counter()
        after = self._kernel(trained, inputs)
        found = _measured(after) | _changes(kernel, after, epochs)
        return seconds + time.perf_counter() - began, found

    def _kernel(self, network: nn.Module, inputs: Tensor) -> Kernel:
        options: NtkOptions = self.options
        return empirical_ntk(
            network,
            inputs,
            reduction=options.reduction,
            bn_mode=options.bn_mode,
            parameters=options.parameters,
            method=options.method,
        )

    def _trained(self, candidate: Candidate, context: Context, seed: int, repeat: int, epochs: int) -> nn.Module:
        """Return the network after training; a run of one repeat goes on from its checkpoint."""
        done = repeat * epochs

        def report(step: int, metrics: Mapping[str, float]) -> None:
            context.report(done + step, metrics)

        options = self.options.training.model_copy(update={"epochs": self.options.epochs})
        checkpoint = context.checkpoint if self.options.repeats == 1 else None
        inner = replace(context, seed=seed, fidelity=float(epochs), report=report, checkpoint=checkpoint)
        return Train(options).fit(candidate, inner, "ntk").network


def _measured(kernel: Kernel) -> Found:
    """Return all metrics of one kernel, or why they have no value."""
    spectrum = _or_why(lambda: Spectrum.of(kernel))

    def of_spectrum(read: Callable[[Spectrum], float]) -> float | Unmeasurable:
        return spectrum if isinstance(spectrum, Unmeasurable) else _number(lambda: read(spectrum))

    norm = _number(lambda: frobenius(kernel))
    return {
        "ntk_condition": of_spectrum(Spectrum.condition),
        "ntk_log_condition": of_spectrum(lambda found: math.log(found.condition())),
        "ntk_smallest": of_spectrum(lambda found: found.smallest),
        "ntk_largest": of_spectrum(lambda found: found.largest),
        "ntk_effective_rank": of_spectrum(Spectrum.effective_rank),
        "ntk_frobenius": norm,
        "ntk_log_frobenius": _logarithm(norm),
        "ntk_mean": _number(lambda: kernel_mean(kernel)),
        "ntk_trace": _number(lambda: kernel_trace(kernel)),
    }


def _changes(before: Kernel, after: Kernel, epochs: int) -> Found:
    distance = _number(lambda: kernel_distance(before, after))
    velocity = distance if isinstance(distance, Unmeasurable) else distance / epochs
    return {"ntk_distance": distance, "ntk_velocity": velocity}


def _or_why(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except Unmeasurable as reason:
        return reason


def _number(read: Callable[[], float]) -> float | Unmeasurable:
    value: float | Unmeasurable = _or_why(read)
    if isinstance(value, Unmeasurable) or math.isfinite(value):
        return value
    return Unmeasurable("not_finite", f"the value is {value}")


def _logarithm(value: float | Unmeasurable) -> float | Unmeasurable:
    if isinstance(value, Unmeasurable) or value > 0:
        return value if isinstance(value, Unmeasurable) else math.log(value)
    return Unmeasurable("singular", "the kernel is zero: no parameter changes the outputs")
