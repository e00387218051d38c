"""A wide one-layer network and the confidence that its gradients give: the surrogate of NeuralUCB [1, 2].

m(x) = w·relu(Wx + b) + c. With g(x) the gradient of m by all parameters, σ²(x) = νλ·g(x)ᵀU⁻¹g(x), where U starts at λI
and adds g gᵀ of every observation. For a linear model this is ridge LinUCB.

[1] Zhou, Li and Gu. Neural contextual bandits with UCB-based exploration. ICML 2020.
[2] Lin et al. Use your INSTINCT: instruction optimization for LLMs using neural bandits coupled with transformers.
    ICML 2024. (Initial weights, training and the diagonal U.)
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

Array = NDArray[np.float64]
Array32 = NDArray[np.float32]

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


class Network:
    """One hidden layer of ReLU units in single precision.

    Args:
        hidden: initial weights and bias of each unit, the bias last, `(units, inputs + 1)`.
        output: initial weights of the output and its bias, the bias last, `(units + 1,)`.

    >>> network = Network(np.ones((2, 2)), np.ones(3))
    >>> network.predict(np.array([[1.0], [-3.0]])), network.gradients(np.array([[1.0]])).shape
    (array([5., 1.]), (1, 7))
    """

    def __init__(self, hidden: Array, output: Array) -> None:
        self._shape = hidden.shape
        self.parameters = np.concatenate([hidden.ravel(), output]).astype(np.float32)
        self._hidden, self._output = self._split(self.parameters)

    def fit(self, inputs: Array, targets: Array, *, steps: int, learning_rate: float, decay: float) -> Network:
        """Minimise the mean squared error by ``steps`` of Adam on all data, ``decay`` times the weights added to it.

        Args:
            inputs: `(observations, inputs)`.
            targets: `(observations,)`.
        """
        columns, wanted = _with_ones(inputs), targets.astype(np.float32)
        gradient = np.empty_like(self.parameters)
        by_hidden, by_output = self._split(gradient)
        first, second = np.zeros_like(gradient), np.zeros_like(gradient)
        units, scale = np.ones((len(self._hidden) + 1, len(wanted)), np.float32), np.float32(2 / len(wanted))
        for step in range(1, steps + 1):
            np.maximum(self._hidden @ columns, 0, out=units[:-1])
            error = (self._output @ units - wanted) * scale
            np.matmul(units, error, out=by_output)
            np.matmul(np.sign(units[:-1]) * error, columns.T, out=by_hidden)
            by_hidden *= self._output[:-1, None]
            gradient += np.float32(decay) * self.parameters
            first += np.float32(1 - BETA1) * (gradient - first)
            second += np.float32(1 - BETA2) * (gradient * gradient - second)
            spread = np.sqrt(second / np.float32(1 - BETA2**step)) + np.float32(EPSILON)
            self.parameters -= np.float32(learning_rate / (1 - BETA1**step)) * first / spread
        return self

    def predict(self, inputs: Array) -> Array:
        """Return m, `(observations,)`."""
        units = np.maximum(self._hidden @ _with_ones(inputs), 0)
        predicted: Array = (self._output[:-1] @ units + self._output[-1]).astype(np.float64)
        return predicted

    def gradients(self, inputs: Array) -> Array32:
        """Return the gradient of m by all parameters, in their order, `(observations, parameters)`."""
        columns = _with_ones(inputs)
        units = np.maximum(self._hidden @ columns, 0)
        gates = np.sign(units) * self._output[:-1, None]
        by_hidden = gates.T[:, :, None] * columns.T[:, None, :]
        return np.concatenate([by_hidden.reshape(len(inputs), -1), units.T, np.ones((len(inputs), 1))], axis=1).astype(
            np.float32
        )

    def _split(self, parameters: Array32) -> tuple[Array32, Array32]:
        """Return the views of the hidden layer and of the output."""
        count = math.prod(self._shape)
        return parameters[:count].reshape(self._shape), parameters[count:]


class Confidence:
    """σ²(x) = νλ·g(x)ᵀU⁻¹g(x), with U = λI + Σ g gᵀ over the observations, or its diagonal.

    The full U is never built: by the Woodbury identity gᵀU⁻¹g = (gᵀg − gᵀGᵀ(λI + GGᵀ)⁻¹Gg)/λ, which inverts a matrix
    as large as the observations are many, not the parameters. ν stands inside the root, as in the code of [2].

    >>> Confidence(1, 0.5, 1.0, "diagonal").observe(np.array([[2.0]])).deviation(np.array([[1.0]])).round(3)
    array([0.333])
    """

    def __init__(self, parameters: int, ridge: float, exploration: float, form: Literal["diagonal", "full"]) -> None:
        self._ridge, self._exploration, self._form = ridge, exploration, form
        self._diagonal = np.full(parameters, ridge)
        self._observed = np.empty((0, parameters))

    def observe(self, gradients: NDArray[np.floating]) -> Confidence:
        """Add g gᵀ of each row, `(observations, parameters)`."""
        if self._form == "diagonal":
            self._diagonal += np.square(gradients, dtype=np.float64).sum(axis=0)
        else:
            self._observed = np.concatenate([self._observed, gradients])
        return self

    def deviation(self, gradients: NDArray[np.floating]) -> Array:
        """Return σ of each row, `(candidates,)`."""
        scale = self._exploration * self._ridge
        if self._form == "diagonal":
            squares = np.square(gradients, dtype=np.float64)
            spread: Array = np.sqrt(scale * (squares @ (1 / self._diagonal)))
            return spread
        own = np.square(gradients, dtype=np.float64).sum(axis=1)
        if len(self._observed):
            shared = self._observed @ np.asarray(gradients, np.float64).T
            gram = self._observed @ self._observed.T + self._ridge * np.eye(len(self._observed))
            own = own - (shared * cho_solve(cho_factor(gram), shared)).sum(axis=0)
        result: Array = np.sqrt(scale * np.maximum(own, 0.0) / self._ridge)
        return result


def _with_ones(inputs: Array) -> Array32:
    """Return ``inputs`` as columns with a last row of ones, `(inputs + 1, observations)`."""
    return np.vstack([inputs.T, np.ones(len(inputs))]).astype(np.float32)
