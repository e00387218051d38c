"""The search problem behind the edit distance of two graphs: which nodes are free, and which are pinned.

Terminals that both graphs hold are pinned to each other. A terminal that only one graph holds has no
counterpart and counts as inserted or deleted; it is never substituted. What remains is to match the free
nodes, from the graph that has fewer of them to the other. When a relabelling never costs more than a deletion
and an insertion, some optimal matching leaves no free node of the smaller side out, so only injections need
searching.
"""

from __future__ import annotations

from typing import NamedTuple

from automl.graphs.edit_costs import EditCosts
from automl.graphs.plain import PlainGraph


class Alignment(NamedTuple):
    """A pair of graphs, turned so that ``small`` has at most as many free nodes as ``large``.

    Attributes:
        costs: of the edits from ``small`` to ``large``.
        is_swapped: whether ``small`` is the second graph of the caller.
        pinned: positions (small, large) of the terminals that both hold.
        small_free, large_free: positions of the nodes that are no terminals.
        small_alone, large_alone: positions of the terminals that the other graph lacks.
    """

    small: PlainGraph
    large: PlainGraph
    costs: EditCosts
    is_swapped: bool
    pinned: list[tuple[int, int]]
    small_free: list[int]
    large_free: list[int]
    small_alone: list[int]
    large_alone: list[int]


class Solution(NamedTuple):
    """What a solver found: free node i goes to ``large_free[targets[i]]``, or is deleted if that is None.

    ``lower`` and ``upper`` enclose the distance, and ``upper`` is the cost of the matching.
    """

    lower: float
    upper: float
    targets: list[int | None]


def align(first: PlainGraph, second: PlainGraph, costs: EditCosts) -> Alignment:
    """Return the search problem of two graphs."""
    is_swapped = len(first.nodes) - sum(first.terminals) > len(second.nodes) - sum(second.terminals)
    small, large = (second, first) if is_swapped else (first, second)
    found = {large.labels[i]: i for i, terminal in enumerate(large.terminals) if terminal}
    pinned: list[tuple[int, int]] = []
    small_free: list[int] = []
    small_alone: list[int] = []
    for position, terminal in enumerate(small.terminals):
        if not terminal:
            small_free.append(position)
        elif small.labels[position] in found:
            pinned.append((position, found.pop(small.labels[position])))
        else:
            small_alone.append(position)
    large_free = [position for position, terminal in enumerate(large.terminals) if not terminal]
    return Alignment(
        small,
        large,
        costs.reversed() if is_swapped else costs,
        is_swapped,
        pinned,
        small_free,
        large_free,
        small_alone,
        list(found.values()),
    )
