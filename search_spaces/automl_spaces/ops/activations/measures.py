"""What follows from a function by computing: its variance gain, and how far it is from the others.

Expectations over N(0, 1) are sums over a fine grid (midpoint rule). Gauss-Hermite quadrature is exact for polynomials,
but with 64 nodes it misses the third digit where a function has a kink or jumps; the grid has six digits everywhere.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from automl_spaces.ops.activations.entries import Entry
from automl_spaces.ops.activations.registry import entry, make, names

QUANTILES = 64
_REACH, _STEP, _PAIR_STEP = 12.0, 1e-3, 0.05
_COST_WEIGHT = 0.1


@functools.cache
def gain(name: str) -> float:
    """Return α = 1 / E f(z)² of independent z ~ N(0, 1), with default parameters, out of training.

    >>> round(gain("relu"), 3), round(gain("tanh"), 3)
    (2.0, 2.536)
    """
    known = entry(name)
    if known.keeps_shape or known.divisor == 1:
        points, weights = _grid(_STEP)
        inputs = points[:, None]
    else:
        points, single = _grid(_PAIR_STEP)
        inputs = torch.cartesian_prod(points, points).repeat(1, known.divisor // 2)
        weights = torch.outer(single, single).reshape(-1)
    with torch.no_grad():
        outputs = make(name).double().eval()(inputs)
    return 1 / float((outputs.square().mean(1) * weights).sum())


@functools.cache
def embedding(name: str) -> NDArray[np.float64]:
    """Return values, derivatives, and the weighted logarithm of the cost, ``(2 · 64 + 1,)``.

    Values and derivatives are those at the middles of 64 equally likely intervals of N(0, 1), divided by the
    square root of 64, so that the distance of two activations is the root mean square of their difference.
    """
    places = (torch.arange(QUANTILES, dtype=torch.float64) + 0.5) / QUANTILES
    inputs = torch.special.ndtri(places)[:, None].requires_grad_()
    outputs = make(name).double().eval()(inputs)
    (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
    curve = torch.cat((outputs.detach(), slopes)).view(-1).numpy() / math.sqrt(QUANTILES)
    return np.append(curve, _COST_WEIGHT * math.log(entry(name).cost))


def nearest(name: str, count: int) -> tuple[str, ...]:
    """Return the ``count`` activations most like ``name``, the likest first: the moves of a mutation.

    >>> "hardswish" in nearest("silu", 10)
    True
    """
    own = embedding(_fitting(name).name)
    others = [other for other in names("all") if other != entry(name).name]
    distances = {other: float(np.linalg.norm(embedding(other) - own)) for other in others}
    return tuple(sorted(others, key=lambda other: (round(distances[other], 9), other))[:count])


def _fitting(name: str) -> Entry:
    from automl import ConfigurationError

    found = entry(name)
    if not found.keeps_shape:
        raise ConfigurationError(f"activation {name!r} is no function of one channel, and so has no neighbours")
    return found


def _grid(step: float) -> tuple[Tensor, Tensor]:
    """Return the middles of intervals of length ``step``, and their probabilities; no multiple of it is among them."""
    points = torch.arange(-_REACH + step / 2, _REACH, step, dtype=torch.float64)
    density = (points.square() / -2).exp()
    return points, density / density.sum()
