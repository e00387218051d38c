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
from typing import Any, Literal, NamedTuple, TypeAlias

from numpy.random import Generator

from automl.errors import InvalidArchitecture
from automl.graphs.branch_and_bound import Budget
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import match_nodes
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
Step: TypeAlias = tuple[Any, ...]


class EditPath(NamedTuple):
    """The unit edits that turn ``base`` into the other parent, in an order in which all can be applied.

    Attributes:
        base: the parent that edits are applied to, the one with more nodes.
        names: the nodes of ``base``, then those that edits insert.
        steps: ``edits``, each as its class and the values of its fields, nodes as positions in ``names`` (objects are
            made only when asked for).
        needs: for each edit, the set of edits it needs directly, as bits.
        lower: a proven lower bound of the distance of the parents.

    >>> one, two = PlainGraph([0], ["conv"], [False], []), PlainGraph([0], ["pool"], [False], [])
    >>> edit_path(one, two, {0: 0}).edits
    (RelabelNode(node=0, label='pool'),)
    """

    base: PlainGraph
    names: list[Hashable]
    steps: list[Step]
    needs: list[int]
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
        names = self.names
        return tuple(
            [
                kind(names[values[0]], names[values[1]], *values[2:])
                if kind in _EDGE_EDITS
                else kind(names[values[0]], *values[1:])
                for kind, *values in self.steps
            ]
        )

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
        return _write(self, self.closure(chosen))

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
        children.append(_write(path, closed))
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
    lower, _, images = match_nodes(start, end, UNIT, budget, rng)
    return path_of_images(start, end, images, lower)


def edit_path(
    base: PlainGraph,
    other: PlainGraph,
    mapping: dict[Hashable, Hashable | None],
    lower: float = 0.0,
) -> EditPath:
    """Return the edits from ``base`` to ``other`` that a mapping of their nodes implies.

    A node that is inserted keeps its identifier from ``other`` unless ``base`` has one that equals it.
    """
    places = dict(zip(other.nodes, range(len(other.nodes)), strict=True))
    images = [mapping.get(node) for node in base.nodes]
    return path_of_images(base, other, [-1 if image is None else places[image] for image in images], lower)


def path_of_images(base: PlainGraph, other: PlainGraph, images: Sequence[int], lower: float = 0.0) -> EditPath:
    """Return the edits from ``base`` to ``other`` when position i of ``base`` becomes ``images[i]``, -1 for none."""
    names = base.nodes
    place = [-1] * len(other.nodes)
    for position, image in enumerate(images):
        if image >= 0:
            place[image] = position
    steps: list[Step] = []
    needs: list[int] = []
    inserted: dict[int, int] = {}
    if -1 in place:
        names = path_names(names, other.nodes, place)
        for image, position in enumerate(place):
            if position >= len(images):
                inserted[position] = 1 << len(steps)
                steps.append((InsertNode, position, other.labels[image], other.terminals[image]))
                needs.append(0)
    new_edges = {(place[u], place[v]): label for u, v, label in other.edges}
    lost = [0] * len(images)
    for source, target, label in base.edges:
        now = new_edges.pop((source, target), None)
        if now is None:
            bit = 1 << len(steps)
            lost[source] |= bit
            lost[target] |= bit
            steps.append((DeleteEdge, source, target))
        elif now != label:
            steps.append((RelabelEdge, source, target, now))
    needs += [0] * (len(steps) - len(needs))
    for (source, target), label in new_edges.items():
        steps.append((InsertEdge, source, target, label))
        needs.append(inserted.get(source, 0) | inserted.get(target, 0) if inserted else 0)
    new_labels = other.labels
    for position, label in enumerate(base.labels):
        image = images[position]
        if image >= 0 and new_labels[image] != label:
            steps.append((RelabelNode, position, new_labels[image]))
    needs += [0] * (len(steps) - len(needs))
    if -1 in images:
        gone = [position for position, image in enumerate(images) if image < 0]
        steps += [(DeleteNode, position) for position in gone]
        needs += [lost[position] for position in gone]
    return EditPath(base, names, steps, needs, lower)


def path_names(names: list[Hashable], others: list[Hashable], place: list[int]) -> list[Hashable]:
    """Return the names of the path, and write the positions of inserted nodes into ``place``."""
    names = list(names)
    taken = set(names)
    for image, position in enumerate(place):
        if position < 0:
            name: Hashable = others[image]
            while name in taken:
                name = ("inserted", name)
            taken.add(name)
            place[image] = len(names)
            names.append(name)
    return names


def _choose(paths: Sequence[EditPath], rng: Generator, rate: float) -> int:
    """Return the edits of a child as bits, those of the first path lowest."""
    count = sum([len(path.steps) for path in paths])
    if count < 2:
        raise InvalidArchitecture(
            f"no graph lies between parents at distance {count}; draw other parents or mutate one"
        )
    size = subset_size(count, rate)
    needs: list[int] = []
    for path in paths:
        offset = len(needs)
        needs.extend([need << offset for need in path.needs] if offset else path.needs)
    everything = (1 << count) - 1
    for _ in range(_MAX_DRAWS):
        closed = _closure(draw_subset(rng.random(size).tolist(), count, rate), needs)
        if closed != everything:
            return closed
    return (1 << size) - 1


def subset_size(count: int, rate: float) -> int:
    """Return how many of ``count`` edits are drawn: ``ceil(rate * count)``, at least one and not all."""
    return min(max(math.ceil(rate * count - 1e-9), 1), count - 1)


def _closure(chosen: Iterable[int], needs: Sequence[int]) -> int:
    closed = 0
    for index in chosen:
        closed |= 1 << index | needs[index]
    return closed


def draw_subset(numbers: Sequence[float], count: int, rate: float) -> list[int]:
    """Return some of ``count`` indices, uniformly without replacement (Fisher and Yates's shuffle).

    ``numbers`` are uniform on [0, 1), one for each index that is drawn or more.
    """
    indices = list(range(count))
    size = subset_size(count, rate)
    for place in range(size):
        other = place + int(numbers[place] * (count - place))
        indices[place], indices[other] = indices[other], indices[place]
    return indices[:size]


def changed(path: EditPath, chosen: int) -> tuple[list[str | None], dict[tuple[int, int], str], set[int]]:
    """Return the labels of all positions (None: no node), the edges and the terminals after the edits ``chosen``."""
    base = path.base
    labels: list[str | None] = [*base.labels, *[None] * (len(path.names) - len(base.nodes))]
    terminals = {position for position, terminal in enumerate(base.terminals) if terminal}
    edges = {(source, target): label for source, target, label in base.edges}
    for step in path.steps:
        if chosen & 1:
            kind = step[0]
            if kind is DeleteEdge:
                del edges[step[1], step[2]]
            elif kind is InsertEdge or kind is RelabelEdge:
                edges[step[1], step[2]] = step[3]
            elif kind is DeleteNode:
                labels[step[1]] = None
            else:
                labels[step[1]] = step[2]
                if kind is InsertNode and step[3]:
                    terminals.add(step[1])
        chosen >>= 1
    return labels, edges, terminals


def _write(path: EditPath, chosen: int) -> Graph:
    labels, edges, terminals = changed(path, chosen)
    names = path.names
    return make_graph(
        {name: label for name, label in zip(names, labels, strict=True) if label is not None},
        {names[position] for position in terminals},
        {(names[source], names[target]): label for (source, target), label in edges.items()},
    )


UNIT = EditCosts()
_EDGE_EDITS = (InsertEdge, DeleteEdge, RelabelEdge)
