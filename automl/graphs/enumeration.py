"""Exact edit distance by trying every matching at once, for graphs with few free nodes.

The cost of a matching is the cost of deleting all of one graph and inserting all of the other, less a gain
for each node and each edge that meets a counterpart. So one gather and one sum over a cached table of all
injections give the costs of all matchings.
"""

from __future__ import annotations

import math
from array import array
from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from automl.graphs.alignment import Alignment, Solution
from automl.graphs.kernels import Kernel, compiled_kernel
from automl.graphs.prepared import Prepared

MAX_INJECTIONS = 720
MAX_NODES = 16
_TOLERANCE = 1e-9


def is_enumerable(alignment: Alignment) -> bool:
    """Whether the pair has at most ``MAX_INJECTIONS`` matchings worth trying, and its tables are small."""
    pins = len(alignment.pinned)
    small, large = len(alignment.small_free), len(alignment.large_free)
    return (
        alignment.costs.favours_substitution and pins + large <= MAX_NODES and math.perm(large, small) <= MAX_INJECTIONS
    )


def enumerate_matchings(alignment: Alignment, rng: Generator | Prepared | None, kernel: Kernel = "auto") -> Solution:
    """Return the first optimal matching or, if ``rng`` is given, one drawn uniformly from all of them."""
    pins = len(alignment.pinned)
    injections, pairs = _tables(pins, len(alignment.small_free), len(alignment.large_free))
    rows, offsets, gains, rest = _gains(alignment)
    compiled = compiled_kernel(kernel, alignment.costs)
    if compiled is None:
        indices = pairs.take(rows, axis=0)
        indices += np.array(offsets, dtype=np.intp)[:, None]
        totals = np.add.reduce(gains.take(indices), axis=0)
        best = float(totals.max())
        ties = (totals >= best - _TOLERANCE).nonzero()[0]
    else:
        best, ties = compiled.best_matchings(pairs, rows, offsets, gains)
    choice = ties[0] if rng is None or len(ties) == 1 else ties[int(rng.random() * len(ties))]
    cost = rest - best
    return Solution(cost, cost, injections[choice].tolist())


@lru_cache(maxsize=32)
def _tables(pins: int, small: int, large: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return all injections `(count, small)`, and the pair of nodes that each makes of each pair of nodes.

    The second table is `(a * a, count)` for a = pins + small; row i * a + j holds b * image(i) + image(j),
    with b = pins + large.
    """
    injections = np.array(list(permutations(range(large), small)), dtype=np.intp)
    injections = injections.reshape(math.perm(large, small), small)
    pinned = np.tile(np.arange(pins, dtype=np.intp), (len(injections), 1))
    images = np.concatenate([pinned, injections + pins], axis=1).T
    pairs = images[:, None, :] * (pins + large) + images[None, :, :]
    table = np.ascontiguousarray(pairs.reshape((pins + small) ** 2, len(injections)))
    injections.flags.writeable = table.flags.writeable = False
    return injections, table


def _gains(alignment: Alignment) -> tuple[NDArray[np.intp], list[int], NDArray[np.float64], float]:
    """Return table rows, their offsets, the gains, and the cost of deleting and inserting everything.

    Every label of the small graph owns a block of gains over all pairs of large nodes: edges use the pairs of
    different nodes, node labels the pairs of a node with itself.
    """
    small, large, costs = alignment.small, alignment.large, alignment.costs
    places = _places(alignment)
    width = len(alignment.pinned) + len(alignment.small_free)
    span = len(alignment.pinned) + len(alignment.large_free)
    area = span * span
    node_blocks: dict[str, int] = {}
    edge_blocks: dict[str, int] = {}
    rows: list[int] = []
    offsets: list[int] = []
    for index, position in enumerate(alignment.small_free, len(alignment.pinned)):
        rows.append(index * (width + 1))
        offsets.append(node_blocks.setdefault(small.labels[position], len(node_blocks) * area))
    for source, target, label in small.edges:
        if (row := places[0][source]) >= 0 and (column := places[0][target]) >= 0:
            rows.append(row * width + column)
            offsets.append(edge_blocks.setdefault(label, len(edge_blocks) * area))
    gains = array("d", bytes(8 * area * max(len(node_blocks), len(edge_blocks))))
    whole = costs.node_delete + costs.node_insert
    for index, position in enumerate(alignment.large_free, len(alignment.pinned)):
        own = large.labels[position]
        for label, block in node_blocks.items():
            gains[block + index * (span + 1)] = whole if label == own else whole - costs.node_relabel
    whole = costs.edge_delete + costs.edge_insert
    for source, target, own in large.edges:
        if (row := places[1][source]) >= 0 and (column := places[1][target]) >= 0:
            for label, block in edge_blocks.items():
                gains[block + row * span + column] = whole if label == own else whole - costs.edge_substitute
    return np.array(rows, dtype=np.intp), offsets, np.frombuffer(gains), _rest(alignment)


def _places(alignment: Alignment) -> tuple[list[int], list[int]]:
    """Return the table index of every position of the small and of the large graph, -1 if it has none."""
    small = [-1] * len(alignment.small.nodes)
    large = [-1] * len(alignment.large.nodes)
    for index, (first, second) in enumerate(alignment.pinned):
        small[first] = large[second] = index
    for index, position in enumerate(alignment.small_free, len(alignment.pinned)):
        small[position] = index
    for index, position in enumerate(alignment.large_free, len(alignment.pinned)):
        large[position] = index
    return small, large


def _rest(alignment: Alignment) -> float:
    costs, pins = alignment.costs, len(alignment.pinned)
    return (
        costs.node_delete * (len(alignment.small.nodes) - pins)
        + costs.node_insert * (len(alignment.large.nodes) - pins)
        + costs.edge_delete * len(alignment.small.edges)
        + costs.edge_insert * len(alignment.large.edges)
    )
