"""Topological orders with random tie-breaking."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

from numpy.random import Generator

from automl.errors import InvalidArchitecture
from automl.graphs.plain import Graph


def random_topological_order(
    graph: Graph,
    rng: Generator,
    *,
    first: Sequence[Hashable] = (),
    last: Sequence[Hashable] = (),
) -> list[Hashable]:
    """Return the nodes so that every edge points forward, drawing uniformly among those that may come next.

    A search that freezes this order stalls: a mutation of an upper triangle cannot add an edge against it. So
    decoders draw a new order every time.

    Args:
        first: nodes that open the order, as given; typically the input terminals.
        last: nodes that close the order, as given; typically the output terminals.

    Raises:
        InvalidArchitecture: the graph has a cycle, or an edge points against ``first`` or ``last``.
    """
    successors: dict[Hashable, Iterable[Hashable]] = dict(graph.adjacency())
    waiting = dict.fromkeys(successors, 0)
    for targets in successors.values():
        for target in targets:
            waiting[target] += 1
    fixed = {*first, *last}
    if len(fixed) < len(first) + len(last) or not fixed <= successors.keys():
        raise InvalidArchitecture(f"first {first!r} and last {last!r} must be different nodes of the graph")
    order: list[Hashable] = []
    ready: list[Hashable] = []

    def place(node: Hashable) -> None:
        if waiting[node]:
            raise InvalidArchitecture(f"node {node!r} cannot be placed: a cycle, or an edge against first or last")
        order.append(node)
        for target in successors[node]:
            waiting[target] -= 1
            if not waiting[target] and target not in fixed:
                ready.append(target)

    for node in first:
        place(node)
    ready = [node for node, count in waiting.items() if not count and node not in fixed]
    for draw in rng.random(len(successors) - len(fixed)).tolist():
        if not ready:
            raise InvalidArchitecture("the graph has a cycle, or an edge against first or last")
        place(ready.pop(int(draw * len(ready))))
    for node in last:
        place(node)
    return order
