"""Gradient ascent on named arrays, in place: plain, or Adam [1].

A parameter that no sample of a batch has used is left alone, moments and step count included, so that it does not
matter when a parameter that nobody has asked for yet is created.

[1] Kingma and Ba. Adam: A method for stochastic optimization. 2014. Algorithm 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from automl_plugins.strategies._rl.distributions import Array


class Optimiser(Protocol):
    """Changes parameters uphill."""

    def step(self, name: str, parameter: Array, gradient: Array) -> None:
        """Change ``parameter`` in place."""


@dataclass(frozen=True, slots=True)
class Ascent:
    """Add ``rate`` times the gradient.

    >>> parameter = np.zeros(1)
    >>> Ascent(0.5).step("w", parameter, np.array([2.0]))
    >>> parameter
    array([1.])
    """

    rate: float

    def step(self, name: str, parameter: Array, gradient: Array) -> None:
        """Change ``parameter`` in place."""
        parameter += self.rate * gradient


class Adam:
    """Adam with bias correction, uphill.

    >>> parameter = np.zeros(1)
    >>> Adam(0.5).step("w", parameter, np.array([2.0]))
    >>> round(float(parameter[0]), 6)
    0.5
    """

    def __init__(self, rate: float, betas: tuple[float, float] = (0.9, 0.999), epsilon: float = 1e-8) -> None:
        self.rate, self.betas, self.epsilon = rate, betas, epsilon
        self._moments: dict[str, tuple[Array, Array]] = {}
        self._steps: dict[str, int] = {}

    def step(self, name: str, parameter: Array, gradient: Array) -> None:
        """Change ``parameter`` in place."""
        if name not in self._moments:
            self._moments[name] = np.zeros_like(parameter), np.zeros_like(parameter)
        first, second = self._moments[name]
        one, two = self.betas
        count = self._steps[name] = self._steps.get(name, 0) + 1
        first *= one
        first += (1 - one) * gradient
        second *= two
        second += (1 - two) * gradient * gradient
        parameter += (self.rate / (1 - one**count)) * first / (np.sqrt(second / (1 - two**count)) + self.epsilon)
