from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl.errors import InvalidArchitecture
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import EditDistance, edit_distance

UNIT = EditCosts()
SUBSTITUTION_PAYS = EditCosts(2.0, 1.0, 1.5, 1.0, 2.0, 1.0)
REPLACEMENT_PAYS = EditCosts(1.0, 1.0, 5.0, 1.0, 0.5, 4.0)


def pair(draw_graph, seed, largest=5, same_terminals=True):
    """Return two random graphs; sizes, edge labels, cycles and terminals vary with the seed."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, largest + 1, size=2)
    options = {"edge_labels": seed % 2 == 0, "cyclic": seed % 4 == 1}
    terminals = seed % 3 > 0
    first = draw_graph(rng, int(sizes[0]), terminals=terminals, **options)
    second = draw_graph(rng, int(sizes[1]), terminals=terminals == same_terminals, **options)
    return first, second


@pytest.mark.parametrize("seed", range(120))
def test_the_distance_is_the_one_networkx_finds(draw_graph, networkx_distance, seed):
    first, second = pair(draw_graph, seed)
    found = edit_distance(first, second)
    assert found.optimal
    assert found.cost == networkx_distance(first, second)


RELABELLING_IS_CHEAP = EditCosts(1.0, 1.0, 0.5, 1.0, 1.0, 0.25)


@pytest.mark.slow
@pytest.mark.parametrize("costs", [UNIT, SUBSTITUTION_PAYS, RELABELLING_IS_CHEAP], ids=["unit", "sub", "relabel"])
@pytest.mark.parametrize("seed", range(160))
def test_the_distance_of_larger_graphs_is_the_one_networkx_finds(draw_graph, networkx_distance, seed, costs):
    first, second = pair(draw_graph, 1000 + seed, largest=6)
    assert edit_distance(first, second, costs=costs).cost == pytest.approx(networkx_distance(first, second, costs))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_line_graphs_have_the_distance_networkx_finds(draw_graph, networkx_distance, seed):
    rng = np.random.default_rng(seed)
    edges = [(0, 1), (0, 2), (0, 4), (1, 3), (1, 5), (2, 6), (3, 6), (4, 7), (5, 7), (6, 7)]
    first, second = (draw_graph(rng, 8, density=0.0) for _ in range(2))
    first.add_edges_from(edges)
    second.add_edges_from(edges[: 10 - seed % 3])
    assert edit_distance(first, second).cost == networkx_distance(first, second)


@pytest.mark.parametrize("seed", range(20))
def test_cells_have_the_distance_networkx_finds(draw_cell, networkx_distance, seed):
    rng = np.random.default_rng(seed)
    first, second = draw_cell(rng), draw_cell(rng)
    assert edit_distance(first, second).cost == networkx_distance(first, second)


@pytest.mark.parametrize("costs", [UNIT, SUBSTITUTION_PAYS, REPLACEMENT_PAYS], ids=["unit", "sub", "replace"])
@pytest.mark.parametrize("seed", range(40))
def test_any_costs_and_terminals_give_the_brute_force_distance(draw_graph, brute_force_distance, seed, costs):
    """NetworkX is no judge here: it overlooks deletions from the smaller graph, which these cases need."""
    first, second = pair(draw_graph, seed, same_terminals=seed % 2 == 0)
    found = edit_distance(first, second, costs=costs)
    assert found.optimal
    assert found.cost == pytest.approx(brute_force_distance(first, second, costs))


@pytest.mark.parametrize("costs", [UNIT, SUBSTITUTION_PAYS, REPLACEMENT_PAYS], ids=["unit", "sub", "replace"])
@pytest.mark.parametrize("seed", range(30))
def test_the_mapping_costs_what_the_distance_says(draw_graph, mapping_cost, seed, costs):
    first, second = pair(draw_graph, seed, largest=8, same_terminals=seed % 5 > 0)
    found = edit_distance(first, second, costs=costs, rng=np.random.default_rng(seed))
    images = [image for image in found.mapping.values() if image is not None]
    assert list(found.mapping) == list(first)
    assert sorted([*images, *found.inserted]) == sorted(second)
    assert mapping_cost(first, second, found.mapping, costs) == pytest.approx(found.cost)


@pytest.mark.parametrize("seed", range(40))
def test_the_distance_is_a_metric(draw_graph, renumber, seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 9, size=3)
    one, two, three = (draw_graph(rng, int(size), edge_labels=seed % 2 == 0) for size in sizes)

    def distance(first, second):
        return edit_distance(first, second, rng=rng).cost

    assert distance(one, two) == distance(two, one)
    assert distance(one, three) <= distance(one, two) + distance(two, three)
    assert distance(renumber(one, rng), renumber(two, rng)) == distance(one, two)
    assert distance(one, renumber(one, rng)) == 0


def test_common_terminals_are_never_relabelled(draw_graph):
    first, second = nx.DiGraph(), nx.DiGraph()
    for graph, source in ((first, "input"), (second, "output")):
        graph.add_node("input", label="input", terminal=True)
        graph.add_node("output", label="output", terminal=True)
        graph.add_edge(source, "output" if source == "input" else "input")
    found = edit_distance(first, second)
    assert found.mapping == {"input": "input", "output": "output"}
    assert found.cost == 2


def test_a_terminal_that_one_graph_lacks_counts_as_deleted():
    first, second = nx.DiGraph(), nx.DiGraph()
    first.add_node("h", label="state", terminal=True)
    second.add_node("x", label="state")
    assert edit_distance(first, second) == EditDistance(2.0, 2.0, {"h": None}, ("x",))


def test_graphs_without_nodes_have_a_distance(draw_graph):
    graph = draw_graph(np.random.default_rng(0), 4, density=1.0, terminals=False)
    assert edit_distance(nx.DiGraph(), nx.DiGraph()).cost == 0
    assert edit_distance(nx.DiGraph(), graph).cost == 10
    assert edit_distance(graph, nx.DiGraph()).cost == 10


def test_cells_without_free_nodes_have_a_distance(draw_graph):
    rng = np.random.default_rng(0)
    assert edit_distance(draw_graph(rng, 2, density=0.0), draw_graph(rng, 2, density=1.0)).cost == 1


def test_a_graph_without_labels_is_refused():
    with pytest.raises(InvalidArchitecture, match="no label"):
        edit_distance(nx.path_graph(2, nx.DiGraph), nx.DiGraph())


def test_the_seed_decides_the_mapping_and_all_optimal_ones_occur():
    first, second = nx.DiGraph(), nx.DiGraph()
    first.add_nodes_from([0], label="a")
    second.add_nodes_from(range(3), label="a")

    def image(seed):
        return edit_distance(first, second, rng=np.random.default_rng(seed)).mapping[0]

    assert {image(seed) for seed in range(50)} == {0, 1, 2}
    assert [image(seed) for seed in range(9)] == [image(seed) for seed in range(9)]
