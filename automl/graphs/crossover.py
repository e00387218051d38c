"""The whole SEP crossover [1] in one step: two graphs in, one child with its nodes in a random topological order out.

This is one trial of the operator: read, solve, draw edits, close, apply, order. It gives what `edit_path` and
`topology` give together, without the objects between them; all random numbers are drawn at the start, so that the
compiled loops, which do everything between reading and writing, give the same child.

[1] Qiu and Miikkulainen. Shortest edit path crossover. 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from automl.graphs.branch_and_bound import Budget
from automl.graphs.edit_distance import match_nodes
from automl.graphs.edit_path import UNIT, EditPath, changed, draw_subset, path_names, path_of_images
from automl.graphs.kernels import Kernel, compiled_kernel
from automl.graphs.plain import Graph, PlainGraph, read_graph
from automl.graphs.prepared import Prepared

_MAX_SIZE = 100
"""Nodes and edges of a pair that the compiled loops take in one step: their numbers must fit into bytes."""


class Crossing(NamedTuple):
    """One trial: the number of edits between the parents, and the child, nodes in topological order, or None.

    There is no child if the distance is below 2, or if the edits drawn give a cycle or need all others.
    """

    distance: int
    child: PlainGraph | None


def cross(
    first: Graph,
    second: Graph,
    rng: Generator,
    *,
    rate: float = 0.5,
    opening: Sequence[str] = (),
    closing: Sequence[str] = (),
    node_budget: int | None = None,
    kernel: Kernel = "auto",
) -> Crossing:
    """Return a child half-way along a shortest edit path of two graphs, its nodes in random topological order.

    The path starts at the graph with more nodes. Edges of the child are sorted, and point from lower to higher
    positions.

    Args:
        rate: share of the edits that the child takes, rounded up.
        opening: labels of the terminals that come first, in this order.
        closing: labels of the terminals that come last, in this order.
        node_budget: search nodes for the distance; beyond it the path may be longer than the shortest.
        kernel: who does the arithmetic; the answer is the same.

    Raises:
        InvalidArchitecture: a node has no label, two terminals of a graph share one, or there is a self-loop.
    """
    compiled = compiled_kernel(kernel, UNIT)
    if compiled is not None and compiled.IS_COMPILED and len(first) + len(second) <= _MAX_SIZE:
        limit = -1 if node_budget is None else node_budget
        found = _cross_compiled(first, second, rng, rate, opening, closing, limit)
        if found is not None:
            return found
    base, other = read_graph(first), read_graph(second)
    if len(base.nodes) < len(other.nodes):
        base, other = other, base
    nodes, edges = len(base.nodes) + len(other.nodes), len(base.edges) + len(other.edges)
    draws = rng.random(3 * nodes + edges)
    numbers = draws.tolist()
    _, _, images = match_nodes(base, other, UNIT, Budget(node_budget), Prepared(draws), kernel)
    path = path_of_images(base, other, images)
    count = len(path.steps)
    if count < 2:
        return Crossing(count, None)
    closed = path.closure(draw_subset(numbers[nodes:], count, rate))
    if closed == (1 << count) - 1:
        return Crossing(count, None)
    return Crossing(count, _ordered(path, closed, numbers[2 * nodes + edges :], opening, closing))


def _ordered(
    path: EditPath, closed: int, numbers: Sequence[float], opening: Sequence[str], closing: Sequence[str]
) -> PlainGraph | None:
    """Return the child of the edits ``closed`` in topological order, or ``None`` if it has none."""
    labels, edges, terminals = changed(path, closed)
    ends = {labels[position]: position for position in terminals}
    order = _topological(
        labels,
        sorted(edges),
        [ends[label] for label in opening if label in ends],
        [ends[label] for label in closing if label in ends],
        numbers,
    )
    if order is None:
        return None
    place = [0] * len(labels)
    for rank, position in enumerate(order):
        place[position] = rank
    return PlainGraph(
        [path.names[position] for position in order],
        [labels[position] or "" for position in order],
        [position in terminals for position in order],
        sorted([(place[source], place[target], label) for (source, target), label in edges.items()]),
    )


def _topological(
    labels: Sequence[str | None],
    edges: Sequence[tuple[int, int]],
    first: Sequence[int],
    last: Sequence[int],
    numbers: Sequence[float],
) -> list[int] | None:
    targets: list[list[int]] = [[] for _ in labels]
    waiting = [0] * len(labels)
    for source, target in edges:
        targets[source].append(target)
        waiting[target] += 1
    fixed = {*first, *last}
    for position in first:
        if waiting[position]:
            return None
        for target in targets[position]:
            waiting[target] -= 1
    free = [position for position, label in enumerate(labels) if label is not None and position not in fixed]
    ready = [position for position in free if not waiting[position]]
    order = list(first)
    for number in numbers[: len(free)]:
        if not ready:
            return None
        position = ready.pop(int(number * len(ready)))
        order.append(position)
        for target in targets[position]:
            waiting[target] -= 1
            if not waiting[target] and target not in fixed:
                ready.append(target)
    for position in last:
        if waiting[position]:
            return None
        order.append(position)
        for target in targets[position]:
            waiting[target] -= 1
    return order


@lru_cache(maxsize=1)
def _loops() -> Callable[[bytes, NDArray[np.float64], float, int], NDArray[np.int64]]:
    from automl.graphs.compiled_crossover import crossover  # imports Numba

    return crossover


class _Flat(NamedTuple):
    """A graph as it is handed over: ``counts`` of the edges that leave each node, and the positions they go to in turn.

    ``edge_labels`` are in the same order, and empty if no edge has one.
    """

    nodes: list[Hashable]
    labels: list[str]
    terminals: list[bool]
    counts: list[int]
    targets: list[int]
    edge_labels: list[str]


def _flatten(graph: Graph) -> _Flat:
    """Return what the loops read; this takes as long as they do, so that whole rows are mapped at once."""
    inside: Any = graph
    nodes = list(inside._node)
    attributes = inside._node.values()
    position = dict(zip(nodes, range(len(nodes)), strict=True)).__getitem__
    adjacency = list(map(inside._succ.__getitem__, nodes))
    edge_labels: list[str] = []
    if any(chain.from_iterable([each.values() for each in adjacency])):
        edge_labels = [edge.get("label", "") for each in adjacency for edge in each.values()]
    return _Flat(
        nodes,
        [each.get("label") for each in attributes],
        ["terminal" in each and bool(each["terminal"]) for each in attributes],
        list(map(len, adjacency)),
        list(map(position, chain.from_iterable(adjacency))),
        edge_labels,
    )


def _cross_compiled(
    first: Graph,
    second: Graph,
    rng: Generator,
    rate: float,
    opening: Sequence[str],
    closing: Sequence[str],
    limit: int,
) -> Crossing | None:
    """Return what `cross` returns, or ``None`` if a graph is too large or not as it should be."""
    base, other = _flatten(first), _flatten(second)
    if len(base.nodes) < len(other.nodes):
        base, other = other, base
    ones, twos = len(base.nodes), len(other.nodes)
    edges = len(base.targets) + len(other.targets)
    if edges > _MAX_SIZE:
        return None
    names = list(dict.fromkeys((*base.labels, *other.labels, *opening, *closing)))
    number = dict(zip(names, range(1, len(names) + 1), strict=True)).__getitem__
    numbers = [ones, twos, len(base.targets), len(other.targets), 2, len(opening), len(closing)]
    numbers += map(number, base.labels)
    numbers += map(number, other.labels)
    numbers += base.terminals
    numbers += other.terminals
    numbers += map(number, opening)
    numbers += map(number, closing)
    numbers += base.counts
    numbers += other.counts
    numbers += base.targets
    numbers += other.targets
    kinds = [""]
    if base.edge_labels or other.edge_labels:
        labels = [*(base.edge_labels or [""] * numbers[2]), *(other.edge_labels or [""] * numbers[3])]
        kinds = list(dict.fromkeys(labels))
        numbers[4] = len(kinds) + 1
        numbers += [kinds.index(label) + 1 for label in labels]
    found = _loops()(bytes(numbers), rng.random(3 * (ones + twos) + edges), rate, limit).tolist()
    if found[0] < 0 or None in names:
        return None
    return Crossing(found[0], _child(base, other, found, names, kinds) if found[1] else None)


def _child(base: _Flat, other: _Flat, found: list[int], names: list[str], kinds: list[str]) -> PlainGraph:
    count, after = found[1], 3 + 2 * found[1]
    end = after + 3 * found[2]
    nodes, terminals = base.nodes, base.terminals
    if len(found) > end:
        place = found[end:]
        nodes = path_names(nodes, other.nodes, place)
        added = [flag for flag, position in zip(other.terminals, place, strict=True) if position >= len(terminals)]
        terminals = terminals + added
    order = found[3 : 3 + count]
    if len(kinds) == 1:
        edge_labels = kinds * found[2]
    else:
        edge_labels = [kinds[number - 1] for number in found[after + 2 : end : 3]]
    return PlainGraph(
        list(map(nodes.__getitem__, order)),
        [names[number - 1] for number in found[3 + count : after]],
        list(map(terminals.__getitem__, order)),
        list(zip(found[after:end:3], found[after + 1 : end : 3], edge_labels, strict=True)),
    )
