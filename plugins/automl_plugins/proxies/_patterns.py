"""What the proxies on activation patterns have in common: which units of a network are active, example by example."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal

import torch
from torch import Tensor

from automl import Activation, BaseOptions, Batch, Bench, Observer, Unmeasurable


class PatternOptions(BaseOptions):
    """Options of the proxies on activation patterns."""

    activations: Literal["all", "exact"] = "all"
    """`exact` looks only at activations that are piecewise linear with a kink at 0 (ReLU, leaky ReLU, PReLU); `all` at
    GELU, SiLU, tanh and the like too, whose sign of the input is an approximation."""


class Patterns(Observer, ABC):
    """Sees the pattern of every executed activation: where its input is positive. One call is one layer.

    An activation whose input has no axis of examples, as a gate on parameters, is passed over.
    """

    def __init__(self, which: Literal["all", "exact"] = "all") -> None:
        self._which = which
        self._approximate: set[str] = set()
        self._size = 0
        self.units = 0
        """Units seen so far."""

    def begin(self, batch: Batch) -> None:
        """Learn how many examples there are."""
        self._size = batch.size

    def activation(self, activation: Activation, before: Tensor) -> None:
        """See the input of an activation, detached."""
        if self._which == "exact" and not activation.is_exact:
            return
        rows = by_example(before, self._size)
        if rows is None or not rows.numel():
            return
        if not activation.is_exact:
            self._approximate.add(activation.name)
        self.units += rows.shape[1]
        self.see(active(rows))

    @abstractmethod
    def see(self, pattern: Tensor) -> None:
        """See which units of a layer are active, `(examples, units)`, bool; only until this returns."""

    def checked(self, bench: Bench) -> None:
        """Check that there was a pattern to see, and say how it was found.

        Raises:
            Unmeasurable: no activation was executed, or the network overflowed.
        """
        logits = bench.shared("forward").logits
        if logits is not None and not torch.isfinite(logits).all():
            raise Unmeasurable("not_finite", "the outputs of the network are not all finite")
        self.checked_units()
        bench.method = self.method

    def checked_units(self) -> None:
        """Raise `Unmeasurable` if no activation was executed."""
        if not self.units:
            kind = "piecewise linear activation" if self._which == "exact" else "activation"
            raise Unmeasurable("unsupported", f"the network executes no {kind} that is known (`register_activation`)")

    @property
    def method(self) -> str:
        """How patterns were found: exactly, or for which activations approximately."""
        if not self._approximate:
            return "sign of pre-activation"
        return f"sign of pre-activation, approximate for {', '.join(sorted(self._approximate))}"


def active(rows: Tensor) -> Tensor:
    """Return ``rows > 0``. On a CPU through NumPy, which compares five times as fast as PyTorch 2.13."""
    if rows.device.type != "cpu" or rows.dtype not in (torch.float32, torch.float64):
        return rows > 0
    return torch.from_numpy(rows.numpy() > 0)


def by_example(tensor: Tensor, size: int) -> Tensor | None:
    """Return ``tensor`` as `(examples, units)`, or ``None`` where it has no axis of examples.

    Examples lie along the first axis; of three, the second where that is as long as the batch and the first is not
    (`(positions, examples, features)`); or the first axis has several rows of each example in turn, as when positions
    are flattened into it.
    """
    if tensor.ndim == 3 and tensor.shape[0] != size == tensor.shape[1]:
        return tensor.transpose(0, 1).reshape(size, -1)
    if tensor.ndim and tensor.shape[0] == size:
        return tensor.reshape(size, -1)
    if tensor.ndim > 1 and tensor.shape[0] % size == 0:
        return tensor.reshape(size, -1)
    return None
