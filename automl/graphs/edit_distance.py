"""Exact, anytime graph edit distance: the least cost of turning one labelled graph into another [1].

Few free nodes: all matchings are tried at once (`enumeration`). More: depth-first branch and bound with an
assignment lower bound (`branch_and_bound`), which can be stopped at any time and then encloses the distance.
Both are exact; a result says whether it was proven. Where Numba is installed (the extra ``fast``) compiled loops do the
same work with the same answers (`kernels`).

[1] Abu-Aisheh et al. An exact graph edit distance algorithm for solving pattern recognition problems. 2015.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from numpy.random import Generator

from automl.graphs.alignment import align
from automl.graphs.branch_and_bound import Budget, branch_and_bound
from automl.graphs.edit_costs import EditCosts
from automl.graphs.enumeration import enumerate_matchings, is_enumerable
from automl.graphs.kernels import Kernel
from automl.graphs.plain import Graph, PlainGraph, read_graph
from automl.graphs.prepared import Prepared

__all__ = ["EditCosts", "EditDistance", "edit_distance", "plain_edit_distance"]

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class EditDistance:
    """A matching of two graphs and what it proves about their distance.

    Attributes:
        lower, upper: bounds that enclose the distance; ``upper`` is the cost of the matching.
        mapping: every node of the first graph to its counterpart in the second, None if it is deleted.
        inserted: the nodes of the second graph that have no counterpart, in the order of that graph.

    >>> EditDistance(2.0, 3.0, {"a": None}, ()).optimal
    False
    """

    lower: float
    upper: float
    mapping: dict[Hashable, Hashable | None]
    inserted: tuple[Hashable, ...]

    @property
    def cost(self) -> float:
        """The cost of the matching: the distance if it is optimal, and an upper bound of it otherwise."""
        return self.upper

    @property
    def optimal(self) -> bool:
        """Whether the bounds meet, so that ``cost`` is the distance."""
        return self.upper - self.lower <= _TOLERANCE


def edit_distance(
    first: Graph,
    second: Graph,
    *,
    costs: EditCosts | None = None,
    node_budget: int | None = None,
    seconds: float | None = None,
    rng: Generator | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> EditDistance:
    """Return the edit distance of two graphs and a matching that attains it.

    Common terminals are matched by label. A terminal that only one graph holds counts as inserted or deleted.
    The search is exponential in the worst case: give it a budget where graphs may be large and unrelated.

    Args:
        costs: of the edits; 1 each by default.
        node_budget: search nodes after which the branch and bound stops (at least one is searched).
        seconds: time after which the branch and bound stops.
        rng: draws among optimal matchings, which are rarely unique; without it the choice follows the order
            of the nodes.
        clock: what ``seconds`` is measured with.

    Raises:
        InvalidArchitecture: a node has no label, two terminals of a graph share one, or there is a self-loop.
    """
    budget = Budget(node_budget, None if seconds is None else clock() + seconds, clock)
    return plain_edit_distance(read_graph(first), read_graph(second), costs or _UNIT, budget, rng)


def plain_edit_distance(
    first: PlainGraph,
    second: PlainGraph,
    costs: EditCosts,
    budget: Budget,
    rng: Generator | None = None,
    kernel: Kernel = "auto",
) -> EditDistance:
    """Return the edit distance of two graphs that were already read; ``kernel`` says who does the arithmetic."""
    lower, upper, images = match_nodes(first, second, costs, budget, rng, kernel)
    mapping = {
        node: second.nodes[image] if image >= 0 else None for node, image in zip(first.nodes, images, strict=True)
    }
    met = set(images)
    inserted = tuple([node for position, node in enumerate(second.nodes) if position not in met])
    return EditDistance(lower, upper, mapping, inserted)


def match_nodes(
    first: PlainGraph,
    second: PlainGraph,
    costs: EditCosts,
    budget: Budget,
    rng: Generator | Prepared | None = None,
    kernel: Kernel = "auto",
) -> tuple[float, float, list[int]]:
    """Return lower bound, upper bound, and for each position of ``first`` its position in ``second``, -1 for none."""
    alignment = align(first, second, costs)
    if is_enumerable(alignment):
        solution = enumerate_matchings(alignment, rng, kernel)
    else:
        solution = branch_and_bound(alignment, budget, rng, kernel)
    images = [-1] * len(first.nodes)
    pairs = alignment.pinned + [
        (source, alignment.large_free[choice])
        for source, choice in zip(alignment.small_free, solution.targets, strict=True)
        if choice is not None
    ]
    if alignment.is_swapped:
        for small, large in pairs:
            images[large] = small
    else:
        for small, large in pairs:
            images[small] = large
    return solution.lower, solution.upper, images


_UNIT = EditCosts()
