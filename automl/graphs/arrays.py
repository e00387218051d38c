"""Labelled graphs as integer arrays, with labels interned in tables that a pair of graphs shares."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from automl.graphs.plain import Graph, PlainGraph, read_graph, write_graph

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class LabelTables:
    """Numbers given to labels, from 1 on, in the order they were first met; 0 means no node or no edge.

    >>> LabelTables().edge_number("skip")
    1
    """

    nodes: dict[str, int] = field(default_factory=dict)
    edges: dict[str, int] = field(default_factory=dict)

    def node_number(self, label: str) -> int:
        """Return the number of a node label, a new one if it was never met."""
        return self.nodes.setdefault(label, len(self.nodes) + 1)

    def edge_number(self, label: str) -> int:
        """Return the number of an edge label, a new one if it was never met."""
        return self.edges.setdefault(label, len(self.edges) + 1)


@dataclass(frozen=True, slots=True)
class GraphArrays:
    """A labelled graph of n nodes as integer arrays; the arrays are never written to.

    Attributes:
        nodes: the identifier of each position.
        labels: `(n,)`, label numbers from 1 on.
        terminals: `(n,)`, whether each node is a terminal.
        adjacency: `(n, n)`, source by target; 0 is no edge, k the number of the edge's label.
        tables: what the numbers stand for.

    >>> graph_arrays(PlainGraph(["a", "b"], ["in", "out"], [True, True], [(0, 1, "")])).adjacency.tolist()
    [[0, 1], [0, 0]]
    """

    nodes: tuple[Hashable, ...]
    labels: Integers
    terminals: NDArray[np.bool_]
    adjacency: Integers
    tables: LabelTables

    def arranged(self, order: Sequence[int]) -> tuple[Integers, Integers]:
        """Return labels and adjacency matrix with position ``order[i]`` at i; -1 is an absent node."""
        size = len(self.nodes)
        labels = np.zeros(size + 1, dtype=np.int64)
        labels[:size] = self.labels
        adjacency = np.zeros((size + 1, size + 1), dtype=np.int64)
        adjacency[:size, :size] = self.adjacency
        positions = np.array(order, dtype=np.intp)
        return labels[positions], adjacency[positions[:, None], positions]


def graph_arrays(graph: Graph | PlainGraph, tables: LabelTables | None = None) -> GraphArrays:
    """Return ``graph`` as arrays; new labels are added to ``tables``."""
    plain = graph if isinstance(graph, PlainGraph) else read_graph(graph)
    tables = LabelTables() if tables is None else tables
    adjacency = np.zeros((len(plain.nodes), len(plain.nodes)), dtype=np.int64)
    for source, target, label in plain.edges:
        adjacency[source, target] = tables.edge_number(label)
    labels = np.array([tables.node_number(label) for label in plain.labels], dtype=np.int64)
    terminals = np.array(plain.terminals, dtype=np.bool_)
    return GraphArrays(tuple(plain.nodes), labels, terminals, adjacency, tables)


def pair_arrays(first: Graph | PlainGraph, second: Graph | PlainGraph) -> tuple[GraphArrays, GraphArrays]:
    """Return two graphs as arrays in which equal labels have equal numbers."""
    tables = LabelTables()
    return graph_arrays(first, tables), graph_arrays(second, tables)


def to_networkx(arrays: GraphArrays) -> Graph:
    """Return the graph that ``arrays`` stand for, with the same node identifiers."""
    node_names = {number: label for label, number in arrays.tables.nodes.items()}
    edge_names = {number: label for label, number in arrays.tables.edges.items()}
    sources, targets = np.nonzero(arrays.adjacency)
    edges = [
        (int(source), int(target), edge_names[int(arrays.adjacency[source, target])])
        for source, target in zip(sources, targets, strict=True)
    ]
    labels = [node_names[int(number)] for number in arrays.labels]
    return write_graph(PlainGraph(list(arrays.nodes), labels, arrays.terminals.tolist(), edges))
