"""How good a set of trade-offs is, as one number: hypervolume [1], and distance to a known front [2].

Everything here is about losses, lower is better; a `Goal` turns metrics into losses. The hypervolume is exact: a sweep
for two objectives, the WFG algorithm [3] with one dimension dropped at each level for more. The cost of that grows
steeply with the objectives but stays below a second for fronts of a hundred points and four of them. (The library
``moocore`` is faster and was not chosen: a compiled package under the LGPL in the core, for what takes milliseconds
here.)

[1] Zitzler and Thiele. Multiobjective optimization using evolutionary algorithms. PPSN V, 1998.
[2] Coello Coello and Reyes Sierra. A study of the parallelization of a coevolutionary multi-objective evolutionary
    algorithm. MICAI 2004. (The inverted generational distance.)
[3] While, Bradstreet and Barone. A fast way of calculating exact hypervolumes. IEEE Transactions on Evolutionary
    Computation 16(1), 2012.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def hypervolume(losses: Iterable[Sequence[float]], reference: Sequence[float]) -> float:
    """Return the volume that ``losses`` dominate and that is within ``reference``; 0 if none is.

    Args:
        losses: one entry per point, one loss per objective. A point that is not better than the reference in every
            objective adds nothing, nor does one with a loss that is not a number.
        reference: the worst losses that count.

    >>> hypervolume([(0.0, 1.0), (1.0, 0.0)], (2.0, 2.0))
    3.0
    """
    bound = np.asarray(reference, dtype=float)
    points = np.asarray([point for point in losses if _is_within(point, reference)], dtype=float)
    return _volume(_front(points), bound) if len(points) else 0.0


def hypervolumes(losses: Iterable[Sequence[float] | None], reference: Sequence[float]) -> list[float]:
    """Return the hypervolume of what was known after each of ``losses``, in their order; it never falls.

    ``None`` stands for a trial that adds nothing: failed, or outside the constraints.
    """
    bound = np.asarray(reference, dtype=float)
    front = np.empty((0, len(bound)))
    found, values = 0.0, []
    for point in losses:
        if point is not None and _is_within(point, reference) and not np.any(np.all(front <= point, axis=1)):
            front = np.vstack([front[~np.all(front >= point, axis=1)], point])
            found = max(found, _volume(front, bound))
        values.append(found)
    return values


def inverted_generational_distance(
    losses: Iterable[Sequence[float]], front: Sequence[Sequence[float]], scale: Sequence[float] | None = None
) -> float:
    """Return the mean distance from the points of the exact ``front`` to the nearest of ``losses``: 0 if all are found.

    Args:
        losses: what was found, one loss per objective.
        front: the exact front, at least one point.
        scale: what one unit of each objective is; by default the extent of the front, so that objectives weigh alike.
            An objective in which the front has no extent is left in its own unit.

    Returns:
        The distance in those units; ``inf`` if nothing was found.
    """
    exact, found = np.asarray(front, dtype=float), np.asarray(list(losses), dtype=float)
    if not len(found):
        return math.inf
    extent = np.ptp(exact, axis=0)
    unit = np.where(extent > 0, extent, 1.0) if scale is None else np.asarray(scale, dtype=float)
    distances = np.linalg.norm((exact[:, None, :] - found[None, :, :]) / unit, axis=2)
    return float(distances.min(axis=1).mean())


def _is_within(point: Sequence[float], reference: Sequence[float]) -> bool:
    return all(-math.inf < loss < worst for loss, worst in zip(point, reference, strict=True))


def _front(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the points that no other dominates, each once, sorted by the first coordinate and then the others."""
    distinct = np.unique(points, axis=0)
    if distinct.shape[1] <= 2:
        best = np.minimum.accumulate(distinct[:, -1])
        kept = [True, *(distinct[1:, -1] < best[:-1]).tolist()]
    else:
        kept = [not np.any(np.all(distinct[:i] <= own, axis=1)) for i, own in enumerate(distinct)]
    front: NDArray[np.float64] = distinct[kept]
    return front


def _volume(points: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Return the hypervolume of mutually non-dominated points within ``reference``."""
    if points.shape[1] == 1:
        return float(reference[0] - points.min())
    if points.shape[1] == 2:
        ordered = points[np.argsort(points[:, 0])]
        heights = np.concatenate([[reference[1]], ordered[:-1, 1]]) - ordered[:, 1]
        return float(np.sum((reference[0] - ordered[:, 0]) * heights))
    # From the worst in the last objective on, a point's own share is a slab below all that is left to come.
    ordered = points[np.argsort(-points[:, -1], kind="stable")]
    total = 0.0
    for i, point in enumerate(ordered):
        share = float(np.prod(reference[:-1] - point[:-1]))
        if i + 1 < len(ordered):
            share -= _volume(_front(np.maximum(ordered[i + 1 :, :-1], point[:-1])), reference[:-1])
        total += float(reference[-1] - point[-1]) * share
    return total
