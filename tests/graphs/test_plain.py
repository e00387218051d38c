from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl.errors import InvalidArchitecture
from automl.graphs.plain import read_graph, write_graph


def same(first, second):
    return dict(first.nodes(data=True)) == dict(second.nodes(data=True)) and (
        sorted(first.edges(data=True)) == sorted(second.edges(data=True))
    )


@pytest.mark.parametrize("seed", range(10))
def test_writing_what_was_read_gives_the_graph_back(draw_graph, seed):
    rng = np.random.default_rng(seed)
    graph = draw_graph(rng, int(rng.integers(2, 9)), edge_labels=seed % 2 == 0, cyclic=seed % 3 == 0)
    assert same(write_graph(read_graph(graph)), graph)


def test_a_node_without_a_label_is_refused():
    graph = nx.DiGraph()
    graph.add_node("a")
    with pytest.raises(InvalidArchitecture, match="node 'a' has no label"):
        read_graph(graph)


def test_two_terminals_with_one_label_are_refused():
    graph = nx.DiGraph()
    graph.add_node(0, label="input", terminal=True)
    graph.add_node(1, label="input", terminal=True)
    with pytest.raises(InvalidArchitecture, match="terminals must have different labels"):
        read_graph(graph)


def test_an_edge_to_itself_is_refused():
    graph = nx.DiGraph()
    graph.add_node(0, label="a")
    graph.add_edge(0, 0)
    with pytest.raises(InvalidArchitecture, match="edge to itself"):
        read_graph(graph)
