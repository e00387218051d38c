"""Fingerprints of the cells of NAS-Bench-101: 64 bits that are equal for isomorphic cells.

Each node starts with a hash of its label; in each round it mixes in the sums of the hashes of the nodes that it reads
and of those that read it (Weisfeiler-Lehman refinement, as in the benchmark's own hash); the fingerprint mixes the
sum over all nodes. In general such a fingerprint cannot tell all graphs apart. Among the 423,624 cells of this space
no two share one, which a test checks on the complete list; so here it is exact, and it takes a third of the time of a
canonical key when it is computed for one cell, and a thousandth when it is computed for a whole table.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

NODES = 7
PAIRS = tuple(itertools.combinations(range(NODES), 2))

_INPUT, _OUTPUT, _FIRST_OPERATION = 1, 2, 3
_ROUNDS = 2
_MASK = (1 << 64) - 1
_FACTORS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)

N = TypeVar("N", int, NDArray[Any])


def cell_fingerprint(present: Sequence[bool], operations: Sequence[int]) -> int:
    """Return the fingerprint of the cell after pruning.

    Args:
        present: whether each pair of `PAIRS` is an edge; node 0 is the input, node 6 the output.
        operations: operation of each of the nodes 1 to 5, as an index.
    """
    edges = [pair for pair, is_edge in zip(PAIRS, present, strict=True) if is_edge]
    reached, reaching = 1, 1 << (NODES - 1)
    for source, target in edges:
        reached |= (reached >> source & 1) << target
    for source, target in reversed(edges):
        reaching |= (reaching >> target & 1) << source
    live = reached & reaching
    labels = [_INPUT, *(_FIRST_OPERATION + operation for operation in operations), _OUTPUT]
    kept = [label if live >> node & 1 else 0 for node, label in enumerate(labels)]
    return _refined(kept, [(i, j, 1) for i, j in edges if live >> i & live >> j & 1])


def table_fingerprints(vertices: NDArray[Any], edges: NDArray[Any], operations: NDArray[Any]) -> NDArray[np.uint64]:
    """Return the fingerprints of pruned cells `(rows,)`.

    Args:
        vertices: number of nodes V of each row, `(rows,)`.
        edges: bit k says whether the k-th pair of V nodes is an edge, `(rows,)`.
        operations: index of the operation of each inner node, 255 where there is none, `(rows, 5)`.
    """
    labels = np.zeros((NODES, len(vertices)), dtype=np.uint64)
    present = np.zeros((NODES, NODES, len(vertices)), dtype=np.uint64)
    labels[0] = _INPUT
    for count in range(2, NODES + 1):
        rows = np.flatnonzero(vertices == count)
        labels[count - 1, rows] = _OUTPUT
        for node in range(1, count - 1):
            labels[node, rows] = operations[rows, node - 1].astype(np.uint64) + _FIRST_OPERATION
        for bit, (source, target) in enumerate(itertools.combinations(range(count), 2)):
            present[source, target, rows] = (edges[rows] >> bit & 1).astype(np.uint64)
    return np.asarray(_refined(list(labels), [(i, j, present[i, j]) for i, j in PAIRS]), dtype=np.uint64)


def _refined(labels: list[N], edges: list[tuple[int, int, N]]) -> N:
    """Return the fingerprint of one cell (integers) or of many (an array of rows in each place)."""
    nodes = range(NODES)
    hashes = [_mixed(label + 1) for label in labels]
    for _ in range(_ROUNDS):
        read: list[Any] = [0] * NODES
        reading: list[Any] = [0] * NODES
        for source, target, present in edges:
            read[target] = read[target] + present * hashes[source]
            reading[source] = reading[source] + present * hashes[target]
        hashes = [
            _mixed(hashes[i] * _FACTORS[0] + read[i] * _FACTORS[1] + reading[i] * _FACTORS[2] & _MASK) for i in nodes
        ]
    return _mixed(sum(hashes[1:], start=hashes[0]) & _MASK)


def _mixed(value: N) -> N:
    """Return 64 well-mixed bits (the finaliser of SplitMix64)."""
    value = (value ^ (value >> 30)) * _FACTORS[1] & _MASK
    value = (value ^ (value >> 27)) * _FACTORS[2] & _MASK
    mixed: N = value ^ (value >> 31)
    return mixed
