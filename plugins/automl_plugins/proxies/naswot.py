"""Score of a network by the kernel of its activation patterns [1], with the correction of the authors' code [2].

[1] Mellor, Turner, Storkey and Crowley. Neural architecture search without training. ICML 2021.
[2] The kernel ``A A' + (1 - A)(1 - A)'`` summed over layers, whose entries are ``N_A - Hamming`` of [1].
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl import BaseOptions, Bench, Metric, Need, Observer, Proxy, Reading, Unmeasurable
from automl_plugins.proxies._patterns import PatternOptions, Patterns

_BLOCK = 8192
"""Bytes of packed patterns per example that are compared at a time, so that all of them stay in the cache."""


class AgreementKernel(Patterns):
    """Counts for each pair of examples the units on which they differ.

    On a CPU by counting bits, 64 units at a time; elsewhere by one matrix product per layer. Both are exact: a product
    of zeros and ones in float32 is, up to 2^24 units, of which no layer of a batch that fits in memory has more by far;
    a larger one is cut.
    """

    def __init__(self, which: Any = "all") -> None:
        super().__init__(which)
        self._hamming: NDArray[np.int64] | None = None
        self._packed: list[NDArray[np.uint8]] = []
        self._on_device: Tensor | None = None

    def see(self, pattern: Tensor) -> None:
        """Count where examples differ."""
        if self._hamming is None:
            self._hamming = np.zeros((len(pattern), len(pattern)), dtype=np.int64)
        if pattern.device.type != "cpu":
            for part in torch.split(pattern, 2**24, dim=1):
                self._on_device = differences(part) if self._on_device is None else self._on_device + differences(part)
            return
        self._packed.append(packed(pattern.numpy()))
        if sum(part.shape[1] for part in self._packed) >= _BLOCK:
            self._count()

    def kernel(self) -> NDArray[np.float64]:
        """Return ``units - Hamming``, `(examples, examples)`; whole numbers."""
        self._count()
        assert self._hamming is not None
        elsewhere = 0 if self._on_device is None else self._on_device.cpu().numpy()
        return (self.units - self._hamming - elsewhere).astype(np.float64)

    def _count(self) -> None:
        """Count what has been packed: XOR of every pair, of which the upper triangle is mirrored."""
        if not self._packed or self._hamming is None:
            return
        words = np.concatenate(self._packed, axis=1).view(np.uint64)
        self._packed.clear()
        for row in range(len(words) - 1):
            counts = np.bitwise_count(words[row + 1 :] ^ words[row]).sum(axis=1, dtype=np.uint32)
            self._hamming[row, row + 1 :] += counts
            self._hamming[row + 1 :, row] += counts


class Naswot(Proxy):
    """Logarithm of the determinant of the kernel of activation patterns, ``ln |det K|`` with ``K = N_A - Hamming``.

    ``N_A`` is the number of units of all executed activations, and Hamming that on which two examples differ. One call
    of an activation is one layer, whether of a module or a function; the published code sees `nn.ReLU` alone. Two
    examples with the same pattern make K singular, which is reported as such, and not as minus infinity.

    >>> Naswot.declared[0].name
    'naswot'
    """

    paper: ClassVar[str] = "Mellor et al. Neural architecture search without training. ICML 2021."
    Options: ClassVar[type[BaseOptions]] = PatternOptions
    declared: ClassVar[tuple[Metric, ...]] = (Metric("naswot", "max", doc="Log-determinant of the pattern kernel."),)
    needs: ClassVar[frozenset[Need]] = frozenset({"forward"})

    def observer(self) -> Observer:
        return AgreementKernel(self.options.activations)

    def measure(self, bench: Bench, observer: Any) -> Reading:
        observer.checked(bench)
        return log_determinant(observer.kernel())


def log_determinant(kernel: NDArray[np.float64]) -> Reading:
    """Return ``ln |det K|``, or that the matrix is singular up to rounding."""
    same = np.argwhere(np.triu(kernel == kernel[0, 0], k=1))
    if len(same):
        reason = f"{len(same)} pairs of examples have one and the same activation pattern, as {tuple(same[0].tolist())}"
        return Unmeasurable("singular", reason)
    eigenvalues = np.linalg.eigvalsh(kernel)
    if eigenvalues[0] <= eigenvalues[-1] * len(kernel) * np.finfo(np.float64).eps:
        return Unmeasurable("singular", "the kernel of the activation patterns has no full rank; the units are too few")
    return float(np.linalg.slogdet(kernel).logabsdet)


def differences(pattern: Tensor) -> Tensor:
    """Return on how many units each pair of rows differs, from one product: ``a_i + a_j - 2 (A A')_ij``."""
    ones = pattern.float()
    both = (ones @ ones.T).round().long()
    own = both.diagonal()
    return own + own[:, None] - 2 * both


def packed(pattern: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return `(examples, bytes)` with eight units in a byte, filled up with zeros to whole words of eight bytes."""
    octets = np.packbits(pattern, axis=1)
    missing = -octets.shape[1] % 8
    return np.pad(octets, ((0, 0), (0, missing))) if missing else octets
