"""Cells of DARTS as labelled graphs, and back.

The graph of a cell has its two inputs, its inner nodes and its output; edges into inner nodes carry their operation.
Where both inputs of a node are one, its two operations share an edge, joined by ``+``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx
from numpy.random import Generator

from automl import InvalidArchitecture, random_topological_order
from automl_spaces.darts.genotype import EVERY_OPERATION, INPUTS, NONE, Cell, Cells

KINDS = ("normal", "reduce")

_ENDS = ("c_{k-2}", "c_{k-1}", "c_{k}")
_INNER = "sum"
_KNOWN = frozenset(EVERY_OPERATION)


def cell_graph(cell: Cell, kind: str, *, is_computed: bool = False) -> nx.DiGraph[Any]:
    """Return the graph of one cell, every label with ``kind`` before it; without edges `NONE` if ``is_computed``."""
    graph: nx.DiGraph[Any] = nx.DiGraph()
    last = INPUTS + len(cell.nodes)
    for place, node in enumerate((0, 1, last)):
        graph.add_node((kind, node), label=f"{kind} {_ENDS[place]}", terminal=True)
    for node, pair in enumerate(cell.nodes, INPUTS):
        graph.add_node((kind, node), label=f"{kind} {_INNER}")
        read: dict[int, list[str]] = {}
        for operation, source in pair:
            if not (is_computed and operation == NONE):
                read.setdefault(source, []).append(operation)
        for source, operations in read.items():
            graph.add_edge((kind, source), (kind, node), label="+".join(sorted(operations)))
        graph.add_edge((kind, node), (kind, last), label="")
    return graph


def graph_of_cells(cells: Cells, *, is_computed: bool = False) -> nx.DiGraph[Any]:
    """Return both cells side by side."""
    pairs = zip((cells.normal, cells.reduce), KINDS, strict=True)
    both: nx.DiGraph[Any] = nx.compose(*[cell_graph(cell, kind, is_computed=is_computed) for cell, kind in pairs])
    return both


def cells_of_graph(graph: nx.DiGraph[Any], rng: Generator) -> Cells:
    """Return the cells of a graph of the form of `graph_of_cells`.

    Raises:
        InvalidArchitecture: as `cell_of_graph`, or a node or edge belongs to neither cell.
    """
    parts: dict[str, list[Any]] = {kind: [] for kind in KINDS}
    for node, label in graph.nodes(data="label"):
        kind = str(label).partition(" ")[0]
        if kind not in parts:
            raise InvalidArchitecture(f"labels of nodes start with {' or '.join(KINDS)}, but one is {label!r}")
        parts[kind].append(node)
    cells = [graph.subgraph(parts[kind]) for kind in KINDS]
    if sum(cell.number_of_edges() for cell in cells) < graph.number_of_edges():
        raise InvalidArchitecture("no edge goes from one cell to the other, but one does")
    return Cells(*[cell_of_graph(cell, kind, rng) for cell, kind in zip(cells, KINDS, strict=True)])


def cell_of_graph(graph: nx.DiGraph[Any], kind: str, rng: Generator) -> Cell:
    """Return the cell of a graph of the form of `cell_graph`, inner nodes in a topological order drawn by ``rng``.

    Raises:
        InvalidArchitecture: the terminals are not the inputs and the output, a label is unknown, an inner node does not
            read two nodes or does not reach the output, a terminal reads an input, or there is a cycle.
    """
    ends = _terminals(graph, kind)
    if any(graph.in_degree(node) for node in ends[:INPUTS]):
        raise InvalidArchitecture("the inputs of a cell read nothing in it, but one does")
    order = random_topological_order(graph, rng, first=ends[:INPUTS], last=ends[INPUTS:])
    place = {node: position for position, node in enumerate(order)}
    edges: list[tuple[str, int]] = []
    for node in order[INPUTS:-1]:
        if not graph.has_edge(node, ends[-1]):
            raise InvalidArchitecture("every inner node of a cell is a part of its output, but one is not")
        read = [
            (operation, place[source])
            for source, _, attributes in graph.in_edges(node, data=True)
            for operation in str(attributes.get("label")).split("+")
        ]
        if len(read) != INPUTS or not {operation for operation, _ in read} <= _KNOWN:
            found = ", ".join(operation for operation, _ in read) or "nothing"
            raise InvalidArchitecture(f"an inner node reads two nodes by known operations, but one has {found}")
        edges += sorted(read, key=lambda edge: (edge[1], edge[0]))
    if graph.in_degree(ends[-1]) != len(order) - INPUTS - 1:
        raise InvalidArchitecture("the output of a cell reads inner nodes, but this one reads an input")
    return Cell.of(edges)


def _terminals(graph: nx.DiGraph[Any], kind: str) -> tuple[Any, ...]:
    """Return both inputs and the output, and check that all other nodes are inner ones."""
    labels: Mapping[Any, str] = {node: str(label) for node, label in graph.nodes(data="label")}
    fixed = {labels[node]: node for node, is_fixed in graph.nodes(data="terminal") if is_fixed}
    wanted = [f"{kind} {end}" for end in _ENDS]
    if sorted(fixed) != sorted(wanted):
        raise InvalidArchitecture(
            f"the terminals of a cell are {', '.join(wanted)}, but found {', '.join(sorted(fixed))}"
        )
    if any(label != f"{kind} {_INNER}" for label in labels.values() if label not in fixed):
        raise InvalidArchitecture(
            f"inner nodes are labelled '{kind} {_INNER}', but found {sorted(set(labels.values()))}"
        )
    return tuple([fixed[label] for label in wanted])
