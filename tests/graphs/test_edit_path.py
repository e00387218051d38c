from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl.errors import InvalidArchitecture
from automl.graphs.canonical import canonical_key
from automl.graphs.edit_distance import edit_distance
from automl.graphs.edit_path import DeleteNode, InsertEdge, InsertNode, edit_path, shortest_edit_path
from automl.graphs.plain import read_graph, write_graph
from automl.graphs.topology import random_topological_order


def parents(draw_graph, draw_cell, seed):
    """Return two cells, or two graphs of unequal sizes with edge labels, for even and odd seeds."""
    rng = np.random.default_rng(seed)
    if seed % 2 == 0:
        return draw_cell(rng), draw_cell(rng)
    sizes = rng.integers(2, 9, size=2)
    first, second = (draw_graph(rng, int(size), edge_labels=seed % 3 == 0) for size in sizes)
    return first, second


@pytest.mark.parametrize("seed", range(60))
def test_a_child_lies_on_a_shortest_path_between_its_parents(draw_graph, draw_cell, seed):
    first, second = parents(draw_graph, draw_cell, seed)
    rng = np.random.default_rng(seed)
    path = shortest_edit_path(first, second, rng=rng)
    base, other = (first, second) if len(first) >= len(second) else (second, first)
    assert path.distance == edit_distance(first, second).cost
    for rate in (0.3, 0.5, 0.8):
        if path.distance < 2:
            break
        child = path.sample(rng, rate)
        to_base, to_other = edit_distance(base, child).cost, edit_distance(child, other).cost
        assert to_base + to_other == path.distance
        assert 0 < to_base < path.distance
        assert canonical_key(child) not in (canonical_key(first), canonical_key(second))


@pytest.mark.parametrize("seed", range(40))
def test_the_distance_to_the_base_is_the_size_of_the_closed_subset(draw_graph, draw_cell, seed):
    first, second = parents(draw_graph, draw_cell, seed)
    rng = np.random.default_rng(seed)
    path = shortest_edit_path(first, second, rng=rng)
    chosen = [index for index in range(path.distance) if rng.random() < 0.4]
    closed = path.closure(chosen)
    child = path.apply(chosen)
    assert edit_distance(write_graph(path.base), child).cost == closed.bit_count()
    assert all(closed >> index & 1 for index in chosen)


@pytest.mark.parametrize("seed", range(60))
def test_all_edits_give_the_other_parent_and_none_the_base(draw_graph, draw_cell, seed):
    first, second = parents(draw_graph, draw_cell, seed)
    path = shortest_edit_path(first, second)
    base, other = (first, second) if len(first) >= len(second) else (second, first)
    assert canonical_key(path.apply(range(path.distance))) == canonical_key(other)
    assert canonical_key(path.apply([])) == canonical_key(base)


@pytest.mark.parametrize("seed", range(10))
def test_any_mapping_gives_edits_that_lead_to_the_other_graph(draw_graph, seed):
    rng = np.random.default_rng(seed)
    first, second = (draw_graph(rng, int(size), edge_labels=True) for size in rng.integers(2, 8, size=2))
    mapping = dict.fromkeys(first)
    inner = rng.permutation(np.arange(1, len(first) - 1)), rng.permutation(np.arange(1, len(second) - 1))
    mapping.update(zip(inner[0][:2].tolist(), inner[1][:2].tolist(), strict=False))
    mapping.update({0: 0, len(first) - 1: len(second) - 1})
    path = edit_path(read_graph(first), read_graph(second), mapping)
    assert canonical_key(path.apply(range(path.distance))) == canonical_key(second)


@pytest.mark.parametrize("seed", range(30))
def test_terminals_survive_and_acyclic_children_can_be_ordered(draw_cell, seed):
    rng = np.random.default_rng(seed)
    path = shortest_edit_path(draw_cell(rng), draw_cell(rng), rng=rng)
    for _ in range(5 if path.distance > 1 else 0):
        child = path.sample(rng)
        flags = {label for node, label in child.nodes(data="label") if child.nodes[node].get("terminal")}
        assert flags == {"input", "output"}
        if nx.is_directed_acyclic_graph(child):
            assert len(random_topological_order(child, rng)) == len(child)
        else:
            with pytest.raises(InvalidArchitecture):
                random_topological_order(child, rng)


def test_isomorphic_parents_are_at_distance_zero(draw_cell, renumber):
    rng = np.random.default_rng(0)
    cell = draw_cell(rng)
    path = shortest_edit_path(cell, renumber(cell, rng), rng=rng)
    assert path.distance == 0
    with pytest.raises(InvalidArchitecture, match="no graph lies between"):
        path.sample(rng)


def test_neighbours_have_no_child():
    first, second = nx.DiGraph(), nx.DiGraph()
    first.add_node(0, label="a")
    second.add_node(0, label="b")
    with pytest.raises(InvalidArchitecture, match="at distance 1"):
        shortest_edit_path(first, second).sample(np.random.default_rng(0))


def test_a_node_goes_only_after_its_edges(draw_graph):
    first = nx.DiGraph()
    for node in range(3):
        first.add_node(node, label="a")
    first.add_edges_from([(0, 1), (1, 2)])
    second = nx.DiGraph()
    second.add_node(0, label="a")
    path = shortest_edit_path(first, second)
    for index, edit in enumerate(path.edits):
        if isinstance(edit, DeleteNode):
            assert edit.node not in path.apply([index])
            assert path.needs[index]


def test_a_subset_that_needs_every_edit_is_drawn_again():
    """Inserting the edge needs the node: half of the two edits is then always the node alone."""
    base, other = nx.DiGraph(), nx.DiGraph()
    base.add_node("a", label="a")
    other.add_node("a", label="a")
    other.add_node("b", label="b")
    other.add_edge("a", "b")
    path = edit_path(read_graph(base), read_graph(other), {"a": "a"})
    assert path.edits == (InsertNode("b", "b"), InsertEdge("a", "b"))
    rng = np.random.default_rng(0)
    assert all(sorted(path.sample(rng).edges) == [] for _ in range(20))
    assert len(path.sample(rng, rate=1.0)) == 2


def test_an_inserted_node_never_takes_a_name_of_the_base():
    base, other = nx.DiGraph(), nx.DiGraph()
    base.add_node(0, label="a")
    base.add_node(("inserted", 0), label="b")
    other.add_node(1, label="a")
    other.add_node(0, label="c")
    path = edit_path(read_graph(base), read_graph(other), {0: 1, ("inserted", 0): None})
    child = path.apply(range(path.distance))
    assert dict(child.nodes(data="label")) == {0: "a", ("inserted", ("inserted", 0)): "c"}


def test_the_same_seed_gives_the_same_child(draw_cell):
    rng = np.random.default_rng(4)
    first, second = draw_cell(rng), draw_cell(rng)

    def child(seed):
        generator = np.random.default_rng(seed)
        return shortest_edit_path(first, second, rng=generator).sample(generator)

    for seed in range(5):
        one, two = child(seed), child(seed)
        assert list(one.nodes(data=True)) == list(two.nodes(data=True))
        assert list(one.edges(data=True)) == list(two.edges(data=True))


def test_a_budget_gives_a_path_that_still_leads_to_the_other_parent(draw_graph):
    rng = np.random.default_rng(0)
    first, second = (draw_graph(rng, 16, density=0.3) for _ in range(2))
    path = shortest_edit_path(first, second, rng=rng, node_budget=1)
    assert path.lower < path.distance
    assert not path.optimal
    assert canonical_key(path.apply(range(path.distance))) == canonical_key(second)
