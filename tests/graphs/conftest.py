"""Random graphs, and slow but independent answers to compare with."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import product
from typing import Any, Protocol

import networkx as nx
import numpy as np
import pytest
from numpy.random import Generator

from automl.graphs.edit_costs import EditCosts
from automl.graphs.plain import Graph

FORBIDDEN = 1000.0


class DrawGraph(Protocol):
    def __call__(
        self,
        rng: Generator,
        size: int,
        *,
        density: float = 0.35,
        edge_labels: bool = False,
        terminals: bool = True,
        cyclic: bool = False,
    ) -> Graph: ...


def draw_graph(
    rng: Generator,
    size: int,
    *,
    density: float = 0.35,
    edge_labels: bool = False,
    terminals: bool = True,
    cyclic: bool = False,
) -> Graph:
    graph: Graph = nx.DiGraph()
    for node in range(size):
        if terminals and node in (0, size - 1):
            graph.add_node(node, label="input" if node == 0 else "output", terminal=True)
        else:
            graph.add_node(node, label="abc"[rng.integers(3)])
    for source, target in product(range(size), repeat=2):
        if (source < target or (cyclic and source != target)) and rng.random() < density:
            labels = {"label": "xy"[rng.integers(2)]} if edge_labels else {}
            graph.add_edge(source, target, **labels)
    return graph


def draw_cell(rng: Generator) -> Graph:
    """Return a 7-node cell of 8 or 9 edges with every node on a path from input to output."""
    while True:
        upper = np.triu(rng.random((7, 7)) < 0.4, 1)
        used = upper[:-1].any(axis=1).all() and upper[:, 1:].any(axis=0).all()
        if used and upper.sum() in (8, 9):
            graph = draw_graph(rng, 7, density=0.0)
            graph.add_edges_from(np.argwhere(upper).tolist())
            return graph


def renumber(graph: Graph, rng: Generator) -> Graph:
    """Return an isomorphic graph with other identifiers, nodes and edges in random order."""
    nodes, edges = list(graph.nodes), list(graph.edges)
    names = {node: f"n{int(i)}" for node, i in zip(nodes, rng.permutation(len(nodes)), strict=True)}
    other: Graph = nx.DiGraph()
    for index in rng.permutation(len(nodes)):
        other.add_node(names[nodes[index]], **graph.nodes[nodes[index]])
    for index in rng.permutation(len(edges)):
        source, target = edges[index]
        other.add_edge(names[source], names[target], **graph.edges[source, target])
    return other


def networkx_distance(first: Graph, second: Graph, costs: EditCosts | None = None) -> float:
    unit = costs or EditCosts()

    def node_substitution(one: dict[str, Any], two: dict[str, Any]) -> float:
        if one.get("terminal") or two.get("terminal"):
            same = one.get("terminal") and two.get("terminal") and one["label"] == two["label"]
            return 0.0 if same else FORBIDDEN
        return 0.0 if one["label"] == two["label"] else unit.node_relabel

    distance = nx.graph_edit_distance(
        first,
        second,
        node_subst_cost=node_substitution,
        node_del_cost=lambda _: unit.node_delete,
        node_ins_cost=lambda _: unit.node_insert,
        edge_subst_cost=lambda one, two: 0.0 if one.get("label") == two.get("label") else unit.edge_relabel,
        edge_del_cost=lambda _: unit.edge_delete,
        edge_ins_cost=lambda _: unit.edge_insert,
    )
    return float(distance)


def mapping_cost(first: Graph, second: Graph, mapping: dict[Hashable, Hashable | None], costs: EditCosts) -> float:
    """Return the cost that a mapping implies, counted edge by edge."""
    total = 0.0
    for node, image in mapping.items():
        if image is None:
            total += costs.node_delete
        elif first.nodes[node]["label"] != second.nodes[image]["label"]:
            total += costs.node_relabel
    images = {image: node for node, image in mapping.items() if image is not None}
    total += costs.node_insert * (len(second) - len(images))
    for source, target, label in first.edges(data="label", default=""):
        ends = (mapping[source], mapping[target])
        if None in ends or not second.has_edge(*ends):
            total += costs.edge_delete
        elif second.edges[ends].get("label", "") != label:
            total += min(costs.edge_relabel, costs.edge_delete + costs.edge_insert)
    for source, target in second.edges:
        if source not in images or target not in images or not first.has_edge(images[source], images[target]):
            total += costs.edge_insert
    return total


def brute_force_distance(first: Graph, second: Graph, costs: EditCosts) -> float:
    """Return the least cost of all mappings, every node free to have no counterpart."""
    pinned = {
        node: image
        for node in first
        for image in second
        if first.nodes[node].get("terminal") and second.nodes[image].get("terminal")
        if first.nodes[node]["label"] == second.nodes[image]["label"]
    }
    free = [node for node in first if not first.nodes[node].get("terminal")]
    targets = [None, *(node for node in second if not second.nodes[node].get("terminal"))]
    best = float("inf")
    for images in product(targets, repeat=len(free)):
        used = [image for image in images if image is not None]
        if len(set(used)) == len(used):
            mapping = {**dict.fromkeys(first), **pinned, **dict(zip(free, images, strict=True))}
            best = min(best, mapping_cost(first, second, mapping, costs))
    return best


@pytest.fixture(name="draw_graph")
def draw_graph_fixture() -> DrawGraph:
    return draw_graph


@pytest.fixture(name="draw_cell")
def draw_cell_fixture() -> Callable[[Generator], Graph]:
    return draw_cell


@pytest.fixture(name="renumber")
def renumber_fixture() -> Callable[[Graph, Generator], Graph]:
    return renumber


@pytest.fixture(name="networkx_distance")
def networkx_distance_fixture() -> Callable[..., float]:
    return networkx_distance


@pytest.fixture(name="mapping_cost")
def mapping_cost_fixture() -> Callable[..., float]:
    return mapping_cost


@pytest.fixture(name="brute_force_distance")
def brute_force_distance_fixture() -> Callable[..., float]:
    return brute_force_distance
