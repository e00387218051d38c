"""Measured latency and peak memory of a network, on the device of the study.

The network is built, put in evaluation mode and run on one batch of normal numbers in `torch.inference_mode`: first
some runs that do not count, then many that do, each timed alone. The median is what a study optimises; the
interquartile range says how far to trust it. Layers run on a fixed number of CPU threads, 1 by default, whatever else
the study sets.

**Peak memory** is the most that is held at one time during one forward pass: parameters, buffers, the batch, and the
tensors in between, in MB (10^6 bytes). On CUDA it is what torch's allocator says, on the CPU the storages that are
alive (`automl_plugins.evaluators._latency.memory`); elsewhere it is not measured.

**The table** (`table=true`) measures every distinct innermost layer once (type, arguments, shapes), keeps its time in
the user's cache folder, and predicts a network's latency as the sum over its layers, after the look-up tables of
ProxylessNAS and FBNet [1, 2]. We deviate from these: entries are layers, not blocks of a search space, so that any
network can be predicted; nothing is added for what layers do not do themselves (sums of branches, reshaping), so that
the sum is lower or, where calls overlap or small layers are cheaper in sequence, higher than the whole.

[1] Cai, Zhu and Han. ProxylessNAS: direct neural architecture search on target task and hardware. ICLR 2019.
[2] Wu et al. FBNet: hardware-aware efficient ConvNet design via differentiable NAS. CVPR 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from automl import BaseOptions, Candidate, Context, Evaluator, EvaluatorOptions, Metric, Task, digest_of, threads_fixed
from automl_plugins.evaluators._latency.clock import timing
from automl_plugins.evaluators._latency.layers import Call, calls_of
from automl_plugins.evaluators._latency.memory import peak_bytes, peak_bytes_of_cuda
from automl_plugins.evaluators._latency.table import Conditions, LayerTable, by_key, cache_folder, processor

_MB = 1e6


class LatencyOptions(EvaluatorOptions):
    """Options of `Latency`."""

    batch_size: Annotated[int, Field(ge=1)] = 1
    """Examples that the network is given at a time."""
    warm_up: Annotated[int, Field(ge=0)] = 10
    """Runs before the clock starts."""
    repeats: Annotated[int, Field(ge=3)] = 100
    """Runs that are timed."""
    threads: Annotated[int, Field(ge=1)] = 1
    """CPU threads within an operation while the clock runs."""
    table: bool = False
    """Whether the latency is also predicted, as `latency_table_ms`: the sum over layers, each measured once."""


class Latency(Evaluator):
    """Milliseconds of a forward pass, measured, and the most memory that it holds.

    >>> [metric.name for metric in Latency().metrics(None)]
    ['latency_ms', 'latency_iqr_ms', 'peak_memory_mb']
    """

    paper: ClassVar[str] = "Cai, Zhu and Han. ProxylessNAS. ICLR 2019 (the table). arXiv 1812.00332."
    Options: ClassVar[type[BaseOptions]] = LatencyOptions

    def digest(self) -> str:
        """Return a hash of the processor and the graphics cards: another machine has other latencies."""
        cards = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
        models = [line for card in cards for line in card.read_text().splitlines() if line.startswith("Model")]
        return digest_of(processor(), *models)

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return the median, its interquartile range and the peak memory; with the table also the prediction."""
        options = self.options
        how = f"of a batch of {options.batch_size}, {options.repeats} runs, {options.threads} CPU thread(s)"
        measured = (
            Metric("latency_ms", "min", "ms", f"Median time {how}.", is_measured=True),
            Metric("latency_iqr_ms", "min", "ms", "Interquartile range of those times.", is_measured=True),
            Metric("peak_memory_mb", "min", "MB", "Most memory held in a forward pass, weights too.", is_measured=True),
        )
        if not options.table:
            return measured
        return (*measured, Metric("latency_table_ms", "min", "ms", "Sum of its layers' times.", is_measured=True))

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Build the candidate and measure it."""
        options, device = self.options, torch.device(context.device)
        network = candidate.build(context.task, context.seed).eval()
        generator = torch.Generator().manual_seed(context.seed)
        inputs = torch.randn(options.batch_size, *context.task.input_shape, generator=generator)
        found: dict[str, float] = {}
        if device.type == "cpu":
            found["peak_memory_mb"] = peak_bytes(network, inputs) / _MB
        before = torch.cuda.memory_allocated(device) if device.type == "cuda" else 0
        network, inputs = network.to(device), inputs.to(device)
        with threads_fixed(options.threads), torch.inference_mode():
            clock = partial(
                timing, device=device, warm_up=options.warm_up, repeats=options.repeats, check=context.check
            )
            spent = clock(lambda: network(inputs))
            if device.type == "cuda":
                found["peak_memory_mb"] = peak_bytes_of_cuda(lambda: network(inputs), device, before) / _MB
            if options.table:
                found["latency_table_ms"] = self._predicted(network, inputs, lambda run: clock(run).median)
        self._remark(context, device, found)
        return {"latency_ms": spent.median, "latency_iqr_ms": spent.spread, **found}

    def _predicted(self, network: nn.Module, inputs: Tensor, clock: Callable[[Callable[[], object]], float]) -> float:
        """Return the sum of the times of the layers that are called, each looked up or measured now."""
        calls = calls_of(network, inputs)
        table = LayerTable(Conditions.of(inputs.device, self.options.threads), cache_folder())
        times = table.look_up({key: partial(_timed, call, inputs, clock) for key, call in by_key(calls).items()})
        return sum(times[call.key] for call in calls)

    def _remark(self, context: Context, device: torch.device, found: Mapping[str, float]) -> None:
        """Say how it was measured, and what was not."""
        options = self.options
        where = f"{options.threads} CPU thread{'s' if options.threads > 1 else ''}"
        how = f"{options.repeats} runs of batch {options.batch_size} after {options.warm_up} to warm up"
        context.remark("latency_iqr_ms", f"{how}, on {device.type} with {where}")
        if "peak_memory_mb" not in found:
            context.remark("peak_memory_mb", f"unsupported: memory is not measured on {device.type}")


def _timed(call: Call, like: Tensor, clock: Callable[[Callable[[], object]], float]) -> float:
    """Return the time of one layer alone, on tensors like those that it was given."""
    args, kwargs = call.repeat(like.device, torch.Generator().manual_seed(0))
    return clock(lambda: call.layer(*args, **kwargs))
