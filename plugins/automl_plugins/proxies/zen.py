"""Zen-Score [1]: how much the last feature map changes with the input, the scaling of normalisation undone.

[1] Lin et al. Zen-NAS: A zero-shot NAS for high-performance deep image recognition. ICCV 2021.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from automl import (
    BaseOptions,
    Bench,
    InputKind,
    Metric,
    Proxy,
    Reading,
    Unmeasurable,
    derive_seed,
)
from automl_plugins.proxies._feature_map import last_feature_map


class ZenOptions(BaseOptions):
    """Options of `Zen`."""

    repeats: int = Field(default=1, ge=1)
    """Draws of weights and inputs over which the score is the mean. Published: 32, at 32 times the cost; draws differ
    far less than networks do."""

    gamma: float = Field(default=0.01, gt=0)
    """Size of the change of the input."""

    variance: Literal["batch", "running"] = "batch"
    """Variance that normalisation is undone by: the `batch`'s, or the `running` average of the published code."""


class Zen(Proxy):
    """ln mean ‖f(x + γε) − f(x)‖₁ + Σ ½ ln mean(variance) over the batch normalisation layers; Algorithm 1 of [1].

    f is the last feature map, what the global pooling reads (`last_feature_map`), so no special forward pass is needed.
    The norm sums over an example's channels and pixels, the mean is over examples; x and ε are N(0, 1) of the batch's
    shape, and so are the weights, of convolutions and linear layers. The logarithm is the score, as published.

    Deviations from [1]: the variance is that of the batch x, where the published code reads an average that holds the
    initial 1 by 81 % after its two passes, and is nearly blind to small variances (``variance = "running"`` is that);
    normalisation of any number of axes counts, not of images alone. A layer whose input does not vary at all is left
    out: it passes nothing of x on. What overflows in single precision, as networks without normalisation do after some
    thirty layers, is computed again in double (method ``float64``); networks in half precision are scored in single.

    >>> ZenOptions().gamma
    0.01
    """

    paper: ClassVar[str] = "Lin et al. Zen-NAS: A zero-shot NAS for high-performance deep image recognition. ICCV 2021."
    Options: ClassVar[type[BaseOptions]] = ZenOptions
    declared: ClassVar[tuple[Metric, ...]] = (
        Metric("zen", "max", doc="Logarithm of the change of the features with the input, normalisation undone."),
    )
    accepts: ClassVar[frozenset[InputKind]] = frozenset({"images"})

    def measure(self, bench: Bench, observer: Any) -> Reading:
        scores = [self._score(bench, repeat) for repeat in range(self.options.repeats)]
        return sum(scores) / len(scores)

    def _score(self, bench: Bench, repeat: int) -> float:
        """Return the score of one draw, in double precision if single will not do."""
        if repeat:
            seed = derive_seed(bench.seed, "zen", repeat)
            drawn = Bench(bench.network, bench.batch, bench.criterion, seed=seed, check=bench.check)
        else:
            drawn = bench
        # Half precision would round away much of what γ changes.
        score = self._measured(drawn, torch.promote_types(bench.batch.main.dtype, torch.float32))
        if not math.isfinite(score):
            bench.method = "float64"
            score = self._measured(drawn, torch.float64)
        return score

    @torch.no_grad()
    def _measured(self, bench: Bench, dtype: torch.dtype) -> float:
        network = bench.fresh(dtype=dtype, init="normal")
        generator = bench.generator("zen inputs")

        def normal(like: Tensor) -> Tensor:
            return torch.randn(like.shape, generator=generator, dtype=torch.float32).to(bench.device, dtype)

        def changed(leaf: Tensor) -> Tensor:
            return leaf + self.options.gamma * normal(leaf) if leaf.is_floating_point() else leaf

        inputs = bench.batch.mapped(lambda leaf: normal(leaf) if leaf.is_floating_point() else leaf)
        scaling = _Scaling(network, self.options.variance)
        with bench.seeded("pass"):
            first = last_feature_map(network, inputs)
            scaling.close()
            second = last_feature_map(network, inputs.mapped(changed))
        bench.check()
        distance = float((second - first).abs().flatten(1).sum(dim=1, dtype=torch.float64).mean())
        if distance == 0:
            raise Unmeasurable("undefined", "the last feature map does not change with the input")
        return math.log(distance) + scaling.log_scale() if math.isfinite(distance) else math.inf


class _Scaling:
    """What the batch normalisation layers of a network divide by, all in all."""

    def __init__(self, network: nn.Module, variance: Literal["batch", "running"]) -> None:
        self._of_batch: list[float] = []
        self._running: dict[int, Tensor] = {}
        layers = [module for module in network.modules() if isinstance(module, _BatchNorm)]
        if variance == "running":
            kept = [layer for layer in layers if layer.running_var is not None]
            for layer in kept:
                layer.reset_running_stats()
            self._running = {index: layer.running_var for index, layer in enumerate(kept)}  # type: ignore[misc]
            self._hooks = []
        else:
            self._hooks = [layer.register_forward_pre_hook(self._see) for layer in layers]

    def _see(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        values = inputs[0]
        axes = [axis for axis in range(values.ndim) if axis != 1]
        self._of_batch.append(float(values.var(dim=axes, correction=0).mean(dtype=torch.float64)))

    def close(self) -> None:
        """Look at no further pass."""
        for hook in self._hooks:
            hook.remove()

    def log_scale(self) -> float:
        """Return Σ ½ ln mean(variance), without layers whose input did not vary."""
        running = [float(variance.mean(dtype=torch.float64)) for variance in self._running.values()]
        return sum(0.5 * math.log(value) for value in self._of_batch + running if value > 0)
