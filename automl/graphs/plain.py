"""Labelled graphs as plain lists: the form that the fast loops of this package read.

A graph at the boundary is a ``networkx.DiGraph`` with the node attribute ``label`` (a string), the optional
node attribute ``terminal`` (a boolean) and the optional edge attribute ``label`` (a string, missing is
``""``). Node identifiers are arbitrary; below they become positions 0 to n - 1.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import networkx as nx

from automl.errors import InvalidArchitecture

Graph: TypeAlias = "nx.DiGraph[Any]"


@dataclass(frozen=True, slots=True)
class PlainGraph:
    """A labelled directed graph whose nodes are positions; owned by whoever made it and never changed.

    Attributes:
        nodes: the identifier of each position.
        labels: the label of each position.
        terminals: whether each position is a terminal.
        edges: source position, target position and edge label, in the order of the graph.

    >>> graph = nx.DiGraph([("a", "b")])
    >>> nx.set_node_attributes(graph, {"a": "input", "b": "output"}, "label")
    >>> read_graph(graph).edges
    [(0, 1, '')]
    """

    nodes: list[Hashable]
    labels: list[str]
    terminals: list[bool]
    edges: list[tuple[int, int, str]]


def read_graph(graph: Graph) -> PlainGraph:
    """Return the plain form of ``graph``.

    Raises:
        InvalidArchitecture: a node has no label, two terminals share one, or an edge is a self-loop.
    """
    nodes: list[Hashable] = []
    labels: list[str] = []
    terminals: list[bool] = []
    inside: Any = graph  # its dictionary of nodes: the view of them costs as much as all the rest
    for node, attributes in inside._node.items():
        label = attributes.get("label")
        if label is None:
            raise InvalidArchitecture(f"node {node!r} has no label; set the node attribute `label` to a string")
        nodes.append(node)
        labels.append(label)
        terminals.append(bool(attributes.get("terminal")))
    position = dict(zip(nodes, range(len(nodes)), strict=True))
    edges: list[tuple[int, int, str]] = []
    for node, targets in graph.adjacency():
        source = position[node]
        for target, attributes in targets.items():
            if target == node:
                raise InvalidArchitecture(f"node {node!r} has an edge to itself; remove that edge")
            edges.append((source, position[target], attributes.get("label", "")))
    named = [label for label, terminal in zip(labels, terminals, strict=True) if terminal]
    if len(set(named)) < len(named):
        raise InvalidArchitecture(f"terminals must have different labels, but got {sorted(named)}")
    return PlainGraph(nodes, labels, terminals, edges)


def write_graph(plain: PlainGraph) -> Graph:
    """Return a new ``networkx.DiGraph`` that equals, other attributes aside, the one that was read."""
    names = plain.nodes
    labels = dict(zip(names, plain.labels, strict=True))
    terminals = {name for name, terminal in zip(names, plain.terminals, strict=True) if terminal}
    return make_graph(
        labels, terminals, {(names[source], names[target]): label for source, target, label in plain.edges}
    )


def make_graph(
    labels: Mapping[Hashable, str],
    terminals: Container[Hashable],
    edges: Mapping[tuple[Hashable, Hashable], str],
) -> Graph:
    """Return a new ``networkx.DiGraph`` with the given node labels, terminals and edge labels."""
    graph: Graph = nx.DiGraph()
    # Written as NetworkX holds it, without the checks and copies of `add_node` and `add_edge`: three times as fast.
    inside: Any = graph
    nodes, successors, predecessors = inside._node, inside._succ, inside._pred
    for node, label in labels.items():
        nodes[node] = {"label": label, "terminal": True} if node in terminals else {"label": label}
        successors[node] = {}
        predecessors[node] = {}
    for (source, target), label in edges.items():
        successors[source][target] = predecessors[target][source] = {"label": label} if label else {}
    return graph
