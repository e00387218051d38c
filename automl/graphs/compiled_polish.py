"""The exchanges of two images that improve the first matching of `compiled`."""

from __future__ import annotations

import math

import numpy as np

from automl.graphs.compiled_state import Search, compile_loop
from automl.graphs.encoding import PINS, SIZE, SMALL_FREE, Floats, Integers

_TOLERANCE = 1e-6
_POLISH_WORK = 50_000_000
_MIN_ROUNDS = 3


@compile_loop
def polish(state: Search, images: Integers) -> None:
    """Make the best exchange of two images, again and again while one helps."""
    size, pins, small_free = state.sizes[SIZE], state.sizes[PINS], state.sizes[SMALL_FREE]
    moved, half = np.empty((size, size)), np.empty((size, size))
    rounds = max(_MIN_ROUNDS, _POLISH_WORK // max(size, 1) ** 3) if small_free > pins else 0
    for _ in range(rounds):
        _fill_exchanges(state, images, moved, half)
        best, best_i, best_j = math.inf, -1, -1
        for i in range(pins, small_free):
            for j in range(pins, size):
                gain = half[i, j] + half[j, i] - moved[i, i] - moved[j, j]
                if gain < best:
                    best, best_i, best_j = gain, i, j
        if best >= -_TOLERANCE:
            break
        images[best_i], images[best_j] = images[best_j], images[best_i]


@compile_loop
def _fill_exchanges(state: Search, images: Integers, moved: Floats, half: Floats) -> None:
    """Write the cost of each free node i at the place of each free node j, and its half of their exchange."""
    size, pins = state.sizes[SIZE], state.sizes[PINS]
    small, large, edge_costs = state.small, state.large, state.edge_costs
    for i in range(pins, size):
        for j in range(pins, size):
            image = images[j]
            cost = state.node_costs[i, image]
            for k in range(size):
                cost += edge_costs[small[i, k], large[image, images[k]]]
                cost += edge_costs[small[k, i], large[images[k], image]]
            moved[i, j] = cost
            out, back = large[images[i], image], large[image, images[i]]
            half[i, j] = cost + edge_costs[small[i, j], out] + edge_costs[small[i, j], back]
            half[i, j] -= 2 * (edge_costs[small[i, j], 0] + edge_costs[0, out])
