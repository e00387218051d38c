from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl.graphs.arrays import graph_arrays, pair_arrays, to_networkx


@pytest.mark.parametrize("seed", range(10))
def test_a_graph_survives_the_round_trip(draw_graph, seed):
    rng = np.random.default_rng(seed)
    graph = draw_graph(rng, int(rng.integers(2, 9)), edge_labels=seed % 2 == 0)
    back = to_networkx(graph_arrays(graph))
    assert dict(back.nodes(data=True)) == dict(graph.nodes(data=True))
    assert sorted(back.edges(data=True)) == sorted(graph.edges(data=True))


def test_a_pair_shares_the_numbers_of_its_labels():
    first, second = nx.DiGraph(), nx.DiGraph()
    first.add_node(0, label="a")
    first.add_node(1, label="b")
    first.add_edge(0, 1, label="x")
    second.add_node(0, label="b")
    second.add_node(1, label="c")
    second.add_edge(1, 0)
    one, two = pair_arrays(first, second)
    assert one.labels.tolist() == [1, 2]
    assert two.labels.tolist() == [2, 3]
    assert one.adjacency.tolist() == [[0, 1], [0, 0]]
    assert two.adjacency.tolist() == [[0, 0], [2, 0]]


def test_arranging_puts_absent_nodes_in_place(draw_graph):
    arrays = graph_arrays(draw_graph(np.random.default_rng(0), 3, density=1.0, terminals=False))
    labels, adjacency = arrays.arranged([2, -1, 0])
    assert labels.tolist() == [arrays.labels[2], 0, arrays.labels[0]]
    assert adjacency.tolist() == [[0, 0, 0], [0, 0, 0], [1, 0, 0]]
