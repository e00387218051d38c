"""Labelled graphs as plain lists: the form that the fast loops of this package read.

A graph at the boundary is a ``networkx.DiGraph`` with the node attribute ``label`` (a string), the optional
node attribute ``terminal`` (a boolean) and the optional edge attribute ``label`` (a string, missing is
``""``). Node identifiers are arbitrary; below they become positions 0 to n - 1.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Mapping
from typing import Any, NamedTuple, TypeAlias

import networkx as nx

from automl.errors import InvalidArchitecture

Graph: TypeAlias = "nx.DiGraph[Any]"


class PlainGraph(NamedTuple):
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
    inside: Any = graph  # its dictionaries: the views of them cost as much as all the rest
    attributes = inside._node.values()
    nodes: list[Hashable] = list(inside._node)
    labels: list[str] = [each.get("label") for each in attributes]
    terminals = ["terminal" in each and bool(each["terminal"]) for each in attributes]
    position = dict(zip(nodes, range(len(nodes)), strict=True))
    edges = [
        (position[source], position[target], each.get("label", ""))
        for source, targets in inside._succ.items()
        for target, each in targets.items()
    ]
    if None in labels:
        node = nodes[labels.index(None)]  # type: ignore[arg-type]
        raise InvalidArchitecture(f"node {node!r} has no label; set the node attribute `label` to a string")
    if loops := [node for node, targets in inside._succ.items() if node in targets]:
        raise InvalidArchitecture(f"node {loops[0]!r} has an edge to itself; remove that edge")
    if True in terminals:
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
