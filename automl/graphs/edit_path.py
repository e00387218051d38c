"""Shortest edit paths between two graphs, and the graphs half-way along them: the SEP crossover [1].

A matching of two graphs implies a list of unit edits. Some edits need others: an edge can only be inserted
between nodes that are there, and a node can only be deleted when its edges are. A random subset, closed under
these needs and applied to one parent, gives a graph on a shortest path between the parents.

Two things differ from [1]. There, an edge whose end is missing is dropped and edges go with their node; here
the subset is closed instead, so that the child's distances to its parents always add up. And a subset that
closes to all edits is drawn again, so that a child never equals the other parent.

[1] Qiu and Miikkulainen. Shortest edit path crossover. 2023.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from numpy.random import Generator

from automl.errors import InvalidArchitecture
from automl.graphs.branch_and_bound import Budget
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import plain_edit_distance
from automl.graphs.plain import Graph, PlainGraph, make_graph, read_graph
from automl.graphs.topology import random_topological_order

__all__ = [
    "DeleteEdge",
    "DeleteNode",
    "Edit",
    "EditPath",
    "InsertEdge",
    "InsertNode",
    "RelabelEdge",
    "RelabelNode",
    "edit_path",
    "random_topological_order",
    "sample_jointly",
    "shortest_edit_path",
]

_MAX_DRAWS = 100


@dataclass(frozen=True, slots=True)
class InsertNode:
    """Add a node that has no edges yet."""

    node: Hashable
    label: str
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class DeleteNode:
    """Remove a node whose edges are gone."""

    node: Hashable


@dataclass(frozen=True, slots=True)
class RelabelNode:
    """Give a node another label."""

    node: Hashable
    label: str


@dataclass(frozen=True, slots=True)
class InsertEdge:
    """Add an edge."""

    source: Hashable
    target: Hashable
    label: str = ""


@dataclass(frozen=True, slots=True)
class DeleteEdge:
    """Remove an edge."""

    source: Hashable
    target: Hashable


@dataclass(frozen=True, slots=True)
class RelabelEdge:
    """Give an edge another label."""

    source: Hashable
    target: Hashable
    label: str


Base = Literal["larger", "first"]
Edit: TypeAlias = InsertNode | DeleteNode | RelabelNode | InsertEdge | DeleteEdge | RelabelEdge
_Step: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class EditPath:
    """The unit edits that turn ``base`` into the other parent, in an order in which all can be applied.

    Attributes:
        base: the parent that edits are applied to, the one with more nodes.
        steps: ``edits``, each as its class and the values of its fields (objects are made only when asked for).
        needs: for each edit, the set of edits it needs directly, as bits.
        lower: a proven lower bound of the distance of the parents.

    >>> one, two = PlainGraph([0], ["conv"], [False], []), PlainGraph([0], ["pool"], [False], [])
    >>> edit_path(one, two, {0: 0}).edits
    (RelabelNode(node=0, label='pool'),)
    """

    base: PlainGraph
    steps: tuple[_Step, ...]
    needs: tuple[int, ...]
    lower: float

    @classmethod
    def between(
        cls,
        first: Graph,
        second: Graph,
        *,
        rng: Generator | None = None,
        node_budget: int | None = None,
        seconds: float | None = None,
        base: Base = "larger",
    ) -> EditPath:
        """Solve the edit distance of two graphs once; see ``shortest_edit_path``."""
        return shortest_edit_path(first, second, rng=rng, node_budget=node_budget, seconds=seconds, base=base)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Node insertions, edge edits, relabellings, node deletions; nodes are named as in ``base``."""
        return tuple([kind(*values) for kind, *values in self.steps])

    @property
    def optimal(self) -> bool:
        """Whether no shorter path exists."""
        return len(self.steps) <= self.lower

    @property
    def distance(self) -> int:
        """The number of edits: the edit distance under unit costs, when ``optimal``."""
        return len(self.steps)

    def closure(self, chosen: Iterable[int]) -> int:
        """Return the indices ``chosen`` and all that they need, as bits."""
        return _closure(chosen, self.needs)

    def apply(self, chosen: Iterable[int]) -> Graph:
        """Return ``base`` after the edits ``chosen`` and those they need; the graph may have cycles."""
        return _apply(self.base, self.steps, self.closure(chosen))

    def choose(self, rng: Generator, rate: float = 0.5) -> tuple[int, ...]:
        """Return the edits that ``sample`` takes with the same generator, those that others need included."""
        closed = _choose((self,), rng, rate)
        return tuple([index for index in range(len(self.steps)) if closed >> index & 1])

    def sample(self, rng: Generator, rate: float = 0.5) -> Graph:
        """Return a graph strictly between the parents; it may have cycles, and no space has approved it yet.

        ``ceil(rate * distance)`` edits are drawn uniformly without replacement, at least one and not all, and
        completed by those they need.

        Raises:
            InvalidArchitecture: the distance is below 2, so that nothing lies between the parents. Check
                ``distance`` first; a search mutates instead.
        """
        return sample_jointly((self,), rng, rate)[0]


def sample_jointly(paths: Sequence[EditPath], rng: Generator, rate: float = 0.5) -> tuple[Graph, ...]:
    """Return one graph on each path, so that together they lie strictly between the parents.

    This is how parents of several cells are crossed. The edits are drawn over the union of all paths, as
    ``EditPath.sample`` draws them on one, so a cell may be left alone and another replaced. All paths must start at the
    same parent (``base="first"``): from different ones, a child could equal a parent.

    Raises:
        InvalidArchitecture: the distances add up to less than 2.
    """
    closed = _choose(paths, rng, rate)
    children: list[Graph] = []
    for path in paths:
        children.append(_apply(path.base, path.steps, closed))
        closed >>= len(path.steps)
    return tuple(children)


def shortest_edit_path(
    first: Graph,
    second: Graph,
    *,
    rng: Generator | None = None,
    node_budget: int | None = None,
    seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    base: Base = "larger",
) -> EditPath:
    """Solve the edit distance of two graphs once, under unit costs, so that children can be sampled.

    ``rng`` draws among the shortest paths. With a budget, in search nodes or seconds, the path may be longer
    than the shortest one; ``optimal`` tells. The path starts at the graph with more nodes, as in [1], or always at the
    ``first``.
    """
    start, end = read_graph(first), read_graph(second)
    if base == "larger" and len(start.nodes) < len(end.nodes):
        start, end = end, start
    budget = Budget(node_budget, None if seconds is None else clock() + seconds, clock)
    solved = plain_edit_distance(start, end, _UNIT, budget, rng)
    return edit_path(start, end, solved.mapping, solved.lower)


def edit_path(
    base: PlainGraph,
    other: PlainGraph,
    mapping: dict[Hashable, Hashable | None],
    lower: float = 0.0,
) -> EditPath:
    """Return the edits from ``base`` to ``other`` that a mapping of their nodes implies.

    A node that is inserted keeps its identifier from ``other`` unless ``base`` has one that equals it.
    """
    names = _names(base, other, mapping)
    name_of = [names[node] for node in other.nodes]
    base_nodes = base.nodes
    new_edges = {(name_of[u], name_of[v]): label for u, v, label in other.edges}
    kept = dict(zip(name_of, other.labels, strict=True))
    steps: list[_Step] = []
    needs: list[int] = []
    inserted: dict[Hashable, int] = {}
    old_nodes = set(base_nodes)
    if not kept.keys() <= old_nodes:
        for name, label, terminal in zip(name_of, other.labels, other.terminals, strict=True):
            if name not in old_nodes:
                inserted[name] = 1 << len(steps)
                steps.append((InsertNode, name, label, terminal))
                needs.append(0)
    lost: dict[Hashable, int] = {}
    for u, v, label in base.edges:
        source, target = base_nodes[u], base_nodes[v]
        now = new_edges.pop((source, target), None)
        if now is None:
            lost[source] = lost.get(source, 0) | 1 << len(steps)
            lost[target] = lost.get(target, 0) | 1 << len(steps)
            steps.append((DeleteEdge, source, target))
            needs.append(0)
        elif now != label:
            steps.append((RelabelEdge, source, target, now))
            needs.append(0)
    for (source, target), label in new_edges.items():
        steps.append((InsertEdge, source, target, label))
        needs.append(inserted.get(source, 0) | inserted.get(target, 0) if inserted else 0)
    deleted: list[Hashable] = []
    for name, label in zip(base_nodes, base.labels, strict=True):
        now = kept.get(name)
        if now is None:
            deleted.append(name)
        elif now != label:
            steps.append((RelabelNode, name, now))
            needs.append(0)
    for name in deleted:
        steps.append((DeleteNode, name))
        needs.append(lost.get(name, 0))
    return EditPath(base, tuple(steps), tuple(needs), lower)


def _names(base: PlainGraph, other: PlainGraph, mapping: dict[Hashable, Hashable | None]) -> dict[Hashable, Hashable]:
    """Return the name that each node of ``other`` has on the path: its counterpart's, or a new one."""
    names = {image: node for node, image in mapping.items() if image is not None}
    if len(names) < len(other.nodes):
        taken = set(base.nodes)
        for node in other.nodes:
            if node in names:
                continue
            name: Hashable = node
            while name in taken:
                name = ("inserted", name)
            taken.add(name)
            names[node] = name
    return names


def _choose(paths: Sequence[EditPath], rng: Generator, rate: float) -> int:
    """Return the edits of a child as bits, those of the first path lowest."""
    count = sum([len(path.steps) for path in paths])
    if count < 2:
        raise InvalidArchitecture(
            f"no graph lies between parents at distance {count}; draw other parents or mutate one"
        )
    size = min(max(math.ceil(rate * count - 1e-9), 1), count - 1)
    needs: list[int] = []
    for path in paths:
        offset = len(needs)
        needs.extend([need << offset for need in path.needs] if offset else path.needs)
    everything = (1 << count) - 1
    for _ in range(_MAX_DRAWS):
        closed = _closure(_draw(rng, count, size), needs)
        if closed != everything:
            return closed
    return (1 << size) - 1


def _closure(chosen: Iterable[int], needs: Sequence[int]) -> int:
    closed = 0
    for index in chosen:
        closed |= 1 << index | needs[index]
    return closed


def _draw(rng: Generator, count: int, size: int) -> list[int]:
    """Return ``size`` of ``count`` indices, uniformly without replacement (Fisher and Yates's shuffle)."""
    indices = list(range(count))
    for place, value in enumerate(rng.random(size).tolist()):
        other = place + int(value * (count - place))
        indices[place], indices[other] = indices[other], indices[place]
    return indices[:size]


def _apply(base: PlainGraph, steps: Sequence[_Step], chosen: int) -> Graph:
    names = base.nodes
    labels = dict(zip(names, base.labels, strict=True))
    terminals = {name for name, terminal in zip(names, base.terminals, strict=True) if terminal}
    edges = {(names[source], names[target]): label for source, target, label in base.edges}
    for step in steps:
        if chosen & 1:
            kind = step[0]
            if kind is DeleteEdge:
                del edges[step[1], step[2]]
            elif kind is InsertEdge or kind is RelabelEdge:
                edges[step[1], step[2]] = step[3]
            elif kind is DeleteNode:
                del labels[step[1]]
            else:
                labels[step[1]] = step[2]
                if kind is InsertNode and step[3]:
                    terminals.add(step[1])
        chosen >>= 1
    return make_graph(labels, terminals, edges)


_UNIT = EditCosts()
