"""A pair of graphs as one row of integers: what branch and bound starts from, in NumPy and compiled alike.

Both graphs are padded with absent nodes to one size n, so that a matching is a permutation of n positions: first nodes
that are matched with themselves (pinned terminals, and terminals that one graph lacks, with an absent node), then free
nodes in the order of the search, then absent ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from automl.graphs.alignment import Alignment
from automl.graphs.edit_costs import EditCosts
from automl.graphs.plain import PlainGraph

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

HEADER = 7
SIZE, PINS, SMALL_FREE, LARGE_FREE, KINDS, SMALL_EDGES, LARGE_EDGES = range(HEADER)
NODE_INSERT, NODE_DELETE, NODE_RELABEL, EDGE_INSERT, EDGE_DELETE, EDGE_SUBSTITUTE, IS_INTEGRAL = range(7)


def encode(alignment: Alignment, small_order: Sequence[int], large_order: Sequence[int]) -> Integers:
    """Return the padded pair as integers, free nodes in the given orders.

    They are: a header (n; the count of nodes matched with themselves; the ends of the free nodes of the small and of
    the large graph; the count of edge label numbers, 0 for no edge included; the counts of edges), the label numbers of
    the n positions of the small graph and of the large one (0 is absent), and ``source, target, label number`` of each
    edge of the small graph and of the large one.
    """
    small, large = alignment.small, alignment.large
    slots = len(large_order) if alignment.costs.favours_substitution else len(large_order) + len(small_order)
    small_places, large_places = [0] * len(small.nodes), [0] * len(large.nodes)
    for place, (first, second) in enumerate(alignment.pinned):
        small_places[first] = large_places[second] = place
    pins = len(alignment.pinned)
    for place, position in enumerate(alignment.small_alone, pins):
        small_places[position] = place
    pins += len(alignment.small_alone)
    for place, position in enumerate(alignment.large_alone, pins):
        large_places[position] = place
    pins += len(alignment.large_alone)
    for place, position in enumerate(small_order, pins):
        small_places[position] = place
    for place, position in enumerate(large_order, pins):
        large_places[position] = place
    size = pins + slots
    node_numbers: dict[str, int] = {}
    edge_numbers: dict[str, int] = {}
    numbers = [size, pins, pins + len(small_order), pins + len(large_order), 0, len(small.edges), len(large.edges)]
    numbers += _labels(small, small_places, size, node_numbers)
    numbers += _labels(large, large_places, size, node_numbers)
    for graph, places in ((small, small_places), (large, large_places)):
        for source, target, label in graph.edges:
            number = edge_numbers.setdefault(label, len(edge_numbers) + 1)
            numbers += (places[source], places[target], number)
    numbers[KINDS] = len(edge_numbers) + 1
    return np.array(numbers, dtype=np.int64)


@lru_cache(maxsize=16)
def encode_costs(costs: EditCosts) -> Floats:
    """Return the seven numbers that branch and bound reads of ``costs``."""
    return np.array(
        [
            costs.node_insert,
            costs.node_delete,
            costs.node_relabel,
            costs.edge_insert,
            costs.edge_delete,
            costs.edge_substitute,
            costs.is_integral,
        ],
        dtype=np.float64,
    )


def _labels(graph: PlainGraph, places: Sequence[int], size: int, numbers: dict[str, int]) -> list[int]:
    labels = [0] * size
    for place, label in zip(places, graph.labels, strict=True):
        labels[place] = numbers.setdefault(label, len(numbers) + 1)
    return labels
