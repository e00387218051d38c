"""What a candidate is worth, given a surrogate's mean and standard deviation of its loss. Higher is better.

[1] Jones, Schonlau and Welch. Efficient global optimization of expensive black-box functions. 1998. (Eq. 15.)
[2] White, Neiswanger and Savani. BANANAS. AAAI 2021. (Section 4: independent Thompson sampling.)
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

_ROOT = 1 / np.sqrt(2 * np.pi)
_SMALLEST = 1e-12


def expected_improvement(mean: Array, deviation: Array, best: float) -> Array:
    """Return E[max(0, best − L)] for normal losses L; 0 spread gives the plain improvement.

    >>> expected_improvement(np.array([1.0, 3.0]), np.zeros(2), 2.0)
    array([1., 0.])
    """
    gain = best - mean
    spread = np.maximum(deviation, _SMALLEST)
    scaled = gain / spread
    density = _ROOT * np.exp(-0.5 * np.minimum(scaled * scaled, 1500.0))
    expected = gain * ndtr(scaled) + spread * density
    result: Array = np.where(deviation > _SMALLEST, np.maximum(expected, 0.0), np.maximum(gain, 0.0))
    return result


def confidence_bound(mean: Array, deviation: Array, weight: float) -> Array:
    """Return the optimistic value: ``weight`` standard deviations below the mean loss, negated."""
    return weight * deviation - mean


def thompson(mean: Array, deviation: Array, rng: Generator) -> Array:
    """Return one draw from each candidate's own normal distribution, negated (independent Thompson sampling [2])."""
    drawn: Array = mean + deviation * rng.standard_normal(mean.shape)
    return -drawn
