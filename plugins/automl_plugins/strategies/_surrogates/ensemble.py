"""Several small perceptrons, trained side by side as batched matrices: the surrogate of BANANAS [1].

Written in NumPy with the gradient by hand, since at 20 units a framework spends its time between the operations: all
networks take each step together, one matrix product per layer, with biases as the last column of the weights.

The arithmetic of one network does not depend on the others, so that an ensemble is exactly its members trained alone.

[1] White, Neiswanger and Savani. BANANAS: Bayesian optimization with neural architectures for neural architecture
    search. AAAI 2021.
[2] Kingma and Ba. Adam: a method for stochastic optimization. ICLR 2015.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Array = NDArray[np.float32]

_FLUSH_EVERY = 100
_TINY = np.float32(1e-30)


@dataclass(frozen=True, slots=True)
class Training:
    """How the members are built and trained; the defaults are those of [1].

    Weights start uniform after Glorot, biases at 0. Adam's epsilon is that of the framework used in [1].

    >>> Training().layers
    10
    """

    layers: int = 10
    width: int = 20
    epochs: int = 150
    batch_size: int = 32
    learning_rate: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.99
    epsilon: float = 1e-7


class Ensemble:
    """As many perceptrons as generators; each draws its initial weights and the order of its batches from its own.

    >>> members = Ensemble(3, [np.random.default_rng(seed) for seed in range(5)], Training(epochs=2))
    >>> members.fit(np.eye(3), np.zeros(3)).predict(np.eye(3)).shape
    (5, 3)
    """

    def __init__(self, inputs: int, rngs: Sequence[Generator], training: Training) -> None:
        self.training = training
        self._rngs = rngs
        sizes = [inputs, *[training.width] * training.layers, 1]
        shapes = [(len(rngs), out, into + 1) for into, out in itertools.pairwise(sizes)]
        self._flat, self.weights = _views(shapes)
        self._flat_gradient, self._gradients = _views(shapes)
        self._backwards = [weights[:, :, :-1].swapaxes(1, 2) for weights in self.weights]
        for weights in self.weights:
            _, out, into = weights.shape
            bound = math.sqrt(6 / (into - 1 + out))
            for member, rng in zip(weights, rngs, strict=True):
                member[:, :-1] = rng.uniform(-bound, bound, (out, into - 1))

    def fit(self, inputs: NDArray[np.float64], targets: NDArray[np.float64]) -> Ensemble:
        """Minimise the mean absolute error by Adam on shuffled batches; the last batch of an epoch may be smaller.

        Args:
            inputs: `(observations, inputs)`.
            targets: `(observations,)`.
        """
        training, count = self.training, len(targets)
        columns = _with_ones(inputs)
        wanted = targets.astype(np.float32)
        optimiser = _Adam(self._flat, training)
        sizes = {min(count, training.batch_size), count % training.batch_size}
        layers = {size: _Layers(self.weights, size) for size in sizes}
        for _ in range(training.epochs):
            orders = np.stack([rng.permutation(count) for rng in self._rngs])
            shuffled = np.ascontiguousarray(columns[:, orders].swapaxes(0, 1))
            shuffled_targets = wanted[orders]
            for start in range(0, count, training.batch_size):
                end = min(count, start + training.batch_size)
                batch, batch_targets = shuffled[:, :, start:end], shuffled_targets[:, start:end]
                self._gradient(batch, batch_targets, layers[end - start])
                optimiser.step(self._flat_gradient)
        return self

    def predict(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return every member's predictions, `(members, observations)`."""
        columns = np.broadcast_to(_with_ones(inputs), (len(self._rngs), inputs.shape[1] + 1, len(inputs)))
        outputs = self._forward(columns, _Layers(self.weights, len(inputs)))
        return outputs[:, 0].astype(np.float64)

    def _forward(self, columns: Array, layers: _Layers) -> Array:
        """Return the outputs, `(members, 1, batch)`; the hidden activations stay in ``layers``."""
        values = columns
        for weights, whole, out in zip(self.weights, layers.whole, layers.units, strict=True):
            np.matmul(weights, values, out=out)
            if out is not layers.units[-1]:
                np.maximum(whole, 0, out=whole)
            values = whole
        return out

    def _gradient(self, columns: Array, targets: Array, layers: _Layers) -> None:
        """Write the gradient of the mean absolute error of one batch into the gradient's array."""
        outputs = self._forward(columns, layers)
        error = np.sign(outputs - targets[:, None, :])
        error *= np.float32(1 / targets.shape[1])
        for layer in range(len(self.weights) - 1, 0, -1):
            np.matmul(error, layers.transposed[layer - 1], out=self._gradients[layer])
            error = np.matmul(self._backwards[layer], error)
            np.sign(layers.whole[layer - 1], out=layers.is_on)  # 1 where a unit is on, 0 where it is off
            error *= layers.units_on
        np.matmul(error, columns.swapaxes(1, 2), out=self._gradients[0])


class _Layers:
    """Room for what each layer puts out in a batch of one size, and the views of it that a step needs."""

    def __init__(self, weights: Sequence[Array], size: int) -> None:
        # The last row of every layer is 1, for the bias of the next.
        self.whole = [np.ones((each.shape[0], each.shape[1] + 1, size), np.float32) for each in weights]
        self.units = [whole[:, :-1] for whole in self.whole]
        self.transposed = [whole.swapaxes(1, 2) for whole in self.whole]
        self.is_on = np.empty_like(self.whole[0])
        self.units_on = self.is_on[:, :-1]


class _Adam:
    """Adam [2] in place on one flat array, with its bias corrections drawn into the step's scalars."""

    def __init__(self, weights: Array, training: Training) -> None:
        self._weights, self._training = weights, training
        self._first, self._second, self._room = (np.zeros_like(weights) for _ in range(3))
        self._steps = 0

    def step(self, gradient: Array) -> None:
        """Take one step. ``gradient`` is overwritten.

        The moments are kept undivided, as sums of β^k g: m = (1 − β1)·first and v = (1 − β2)·second.
        """
        training, first, second, room = self._training, self._first, self._second, self._room
        self._steps += 1
        first *= np.float32(training.beta1)
        first += gradient
        second *= np.float32(training.beta2)
        np.multiply(gradient, gradient, out=gradient)
        second += gradient
        scale = math.sqrt((1 - training.beta2**self._steps) / (1 - training.beta2))
        np.sqrt(second, out=room)
        room += np.float32(training.epsilon * scale)
        np.divide(first, room, out=room)
        rate = training.learning_rate * scale * (1 - training.beta1) / (1 - training.beta1**self._steps)
        room *= np.float32(rate)
        self._weights -= room
        if self._steps % _FLUSH_EVERY == 0:
            # The moments of units that are off fade into denormal numbers, on which processors are very slow.
            first[np.abs(first) < _TINY] = 0
            second[second < _TINY] = 0


def _views(shapes: Sequence[tuple[int, int, int]]) -> tuple[Array, list[Array]]:
    """Return one flat array of zeros and its views of ``shapes``."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    flat = np.zeros(int(ends[-1]), np.float32)
    return flat, [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def _with_ones(inputs: NDArray[np.float64]) -> Array:
    """Return ``inputs`` as columns with a last row of ones, `(inputs + 1, observations)`."""
    return np.vstack([inputs.T, np.ones(len(inputs))]).astype(np.float32)
