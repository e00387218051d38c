from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pytest

from automl.errors import InvalidArchitecture
from automl.graphs.topology import random_topological_order


@pytest.mark.parametrize("seed", range(20))
def test_every_edge_points_forward_and_terminals_are_at_the_ends(draw_cell, seed):
    rng = np.random.default_rng(seed)
    graph = draw_cell(rng)
    order = random_topological_order(graph, rng, first=[0], last=[6])
    place = {node: index for index, node in enumerate(order)}
    assert sorted(order) == sorted(graph)
    assert all(place[source] < place[target] for source, target in graph.edges)
    assert (order[0], order[-1]) == (0, 6)


def test_ties_are_broken_uniformly():
    graph = nx.DiGraph()
    graph.add_nodes_from("abc")
    rng = np.random.default_rng(0)
    counts = Counter(tuple(random_topological_order(graph, rng)) for _ in range(6000))
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts.values()) < 150


def test_a_cycle_is_refused():
    with pytest.raises(InvalidArchitecture, match="cycle"):
        random_topological_order(nx.DiGraph([(0, 1), (1, 2), (2, 1)]), np.random.default_rng(0))


def test_a_cycle_through_the_last_node_is_refused():
    graph = nx.DiGraph([(0, 1), (1, 2), (2, 1)])
    with pytest.raises(InvalidArchitecture, match="cycle"):
        random_topological_order(graph, np.random.default_rng(0), first=[0], last=[2])


def test_an_edge_into_the_first_node_is_refused():
    with pytest.raises(InvalidArchitecture, match="cannot be placed"):
        random_topological_order(nx.DiGraph([(0, 1)]), np.random.default_rng(0), first=[1])


def test_a_terminal_that_the_graph_lacks_is_refused():
    with pytest.raises(InvalidArchitecture, match="different nodes of the graph"):
        random_topological_order(nx.DiGraph([(0, 1)]), np.random.default_rng(0), first=[7])


def test_the_same_seed_gives_the_same_order(draw_graph):
    graph = draw_graph(np.random.default_rng(3), 12, density=0.1)
    first, second = (random_topological_order(graph, np.random.default_rng(9)) for _ in range(2))
    assert first == second
