"""Sample-wise activation patterns [1].

[1] Peng, Song, Fayek, Ciesielski and Chang. SWAP-NAS: sample-wise activation patterns for ultra-fast NAS. ICLR 2024.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor

from automl import BaseOptions, Bench, Metric, Need, Observer, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._patterns import PatternOptions, Patterns


class SwapOptions(PatternOptions):
    """Options of `Swap`. With ``mu`` and ``sigma``, which [1] chooses for each space, it is the regularised score."""

    mu: float | None = Field(default=None, ge=0.0)
    """Number of parameters that one wants."""

    sigma: float | None = Field(default=None, gt=0.0)
    """How far from it networks may be: the squared distance, in parameters squared, that costs a factor e."""

    @model_validator(mode="after")
    def _both_or_neither(self) -> SwapOptions:
        if (self.mu is None) != (self.sigma is None):
            raise ValueError("set mu and sigma together, or neither")
        return self


class SampleWords(Patterns):
    """Keeps for each unit its signs over the examples, 64 of them in one whole number."""

    def __init__(self, which: Any = "all") -> None:
        super().__init__(which)
        self._words: list[Tensor] = []

    def see(self, pattern: Tensor) -> None:
        """Pack the signs of a layer."""
        self._words.append(packed_examples(pattern))

    def distinct(self) -> int:
        """Return how many units differ from one another."""
        return distinct_rows(torch.cat(self._words))


class Swap(Proxy):
    """Number of distinct rows of the matrix of signs, units x examples.

    So the units are counted that no other unit mirrors on this batch; at most ``min(units, 2^examples)``. The
    regularised score is that times ``exp(-(P - mu)^2 / sigma)``, with P the number of trainable parameters.

    >>> Swap.declared[0].direction
    'max'
    """

    paper: ClassVar[str] = "Peng et al. SWAP-NAS: sample-wise activation patterns for ultra-fast NAS. ICLR 2024."
    Options: ClassVar[type[BaseOptions]] = SwapOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("swap", "max", doc="Distinct patterns of units over the batch."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"forward"})

    def observer(self) -> Observer:
        return SampleWords(self.options.activations)

    def measure(self, bench: Bench, observer: Any) -> Reading:
        observer.checked(bench)
        return float(observer.distinct()) * self._regularisation(bench)

    def _regularisation(self, bench: Bench) -> float:
        if self.options.mu is None:
            return 1.0
        count = sum(parameter.numel() for parameter in bench.network.parameters() if parameter.requires_grad)
        factor = math.exp(-((count - self.options.mu) ** 2) / self.options.sigma)
        if factor == 0.0:
            reason = f"exp(-(P - mu)^2 / sigma) is 0 for {count} parameters; choose a larger sigma"
            raise Unmeasurable("undefined", reason)
        return factor


def packed_examples(pattern: Tensor) -> Tensor:
    """Return the bits of each unit over the examples as `(units, words)`, int64.

    Every word holds 64 examples, in an order of no meaning that is the same for all units: eight rows at a time become
    the eight bits of a byte, so that no temporary is larger than the pattern.
    """
    examples, units = pattern.shape
    bits = pattern.view(torch.uint8)
    octets = bits.new_zeros((-(-examples // 64) * 8, units))
    for bit in range(min(8, examples)):
        rows = bits[bit::8]
        octets[: len(rows)] |= rows << bit
    turned = octets.T.clone(memory_format=torch.contiguous_format)  # of one unit `contiguous` would keep odd strides
    return turned.view(torch.int64)


def distinct_rows(words: Tensor) -> int:
    """Return the number of distinct rows of `(rows, words)`, exactly.

    By sorting; of several words the numbers of the distinct first ones and those of the second become one number, and
    so on. On a CPU NumPy sorts, four times as fast as PyTorch 2.13.
    """
    numbers = words[:, 0]
    for word in words.T[1:]:
        first = torch.unique(numbers, return_inverse=True)[1]
        values, second = torch.unique(word, return_inverse=True)
        numbers = first * len(values) + second
    if numbers.device.type != "cpu":
        return len(torch.unique(numbers))
    ordered = np.sort(numbers.numpy())
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1
