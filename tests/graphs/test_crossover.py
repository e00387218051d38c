"""One trial of the whole crossover; without Numba its loops are left out, as interpreted they are slow."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl.errors import InvalidArchitecture
from automl.graphs import compiled
from automl.graphs.canonical import canonical_key
from automl.graphs.crossover import cross
from automl.graphs.edit_distance import edit_distance
from automl.graphs.plain import write_graph

ENDS = {"opening": ("input",), "closing": ("output",)}
SEEDS = range(120)


def parents(draw_graph, draw_cell, seed):
    """Return two cells, or two graphs of unequal sizes, some with edge labels, cycles or without terminals."""
    rng = np.random.default_rng(seed)
    if seed % 3 == 0:
        return draw_cell(rng), draw_cell(rng)
    sizes = rng.integers(2, 10, size=2)
    options = {"edge_labels": seed % 2 == 0, "cyclic": seed % 5 == 0, "terminals": seed % 7 > 0}
    return tuple(draw_graph(rng, int(size), **options) for size in sizes)


@pytest.mark.parametrize("seed", range(60))
def test_the_child_lies_on_a_shortest_path_in_topological_order(draw_graph, draw_cell, seed):
    first, second = parents(draw_graph, draw_cell, seed)
    crossed = cross(first, second, np.random.default_rng(seed), kernel="numpy")
    assert crossed.distance == edit_distance(first, second).cost
    if crossed.child is None:
        return
    child = write_graph(crossed.child)
    assert edit_distance(first, child).cost + edit_distance(child, second).cost == crossed.distance
    assert canonical_key(child) not in (canonical_key(first), canonical_key(second))
    assert all(source < target for source, target, _ in crossed.child.edges)
    assert crossed.child.edges == sorted(crossed.child.edges)


def test_named_terminals_open_and_close_the_order(draw_cell):
    rng = np.random.default_rng(0)
    children = [cross(draw_cell(rng), draw_cell(rng), rng, kernel="numpy", **ENDS).child for _ in range(30)]
    found = [child for child in children if child is not None]
    assert len(found) > 15
    assert all((child.labels[0], child.labels[-1]) == ("input", "output") for child in found)
    assert all(child.terminals == [True, *[False] * (len(child.nodes) - 2), True] for child in found)


def test_every_order_and_subset_comes_up():
    """Two relabellings, so that one of two children, and two free nodes in either order."""
    first, second = nx.DiGraph(), nx.DiGraph()
    for graph, labels in ((first, "ab"), (second, "cd")):
        graph.add_node(0, label=labels[0])
        graph.add_node(1, label=labels[1])
    rng = np.random.default_rng(0)
    children = {tuple(cross(first, second, rng, kernel="numpy").child.labels) for _ in range(200)}
    assert len(children) == 8


def test_nothing_lies_between_neighbours(draw_cell):
    cell = draw_cell(np.random.default_rng(0))
    assert cross(cell, cell, np.random.default_rng(0)) == (0, None)


def test_graphs_that_are_not_as_they_should_be_are_refused(draw_cell):
    cell = draw_cell(np.random.default_rng(0))
    unnamed, looped, twins = nx.DiGraph([(0, 1)]), cell.copy(), cell.copy()
    looped.add_edge(1, 1)
    twins.add_node("again", label="input", terminal=True)
    kernels = ("numpy", "compiled") if compiled.IS_COMPILED else ("numpy",)
    for kernel in kernels:
        for graph, message in ((unnamed, "no label"), (looped, "edge to itself"), (twins, "different labels")):
            with pytest.raises(InvalidArchitecture, match=message):
                cross(cell, graph, np.random.default_rng(0), kernel=kernel)


@pytest.mark.skipif(not compiled.IS_COMPILED, reason="the extra `fast` is not installed")
def test_the_compiled_loops_give_the_same_child(draw_graph, draw_cell):
    for seed in SEEDS:
        first, second = parents(draw_graph, draw_cell, seed)
        options = {**(ENDS if seed % 2 else {}), "rate": (0.5, 0.3, 0.9)[seed % 3], "node_budget": (None, 3)[seed % 2]}
        one, two = (
            cross(first, second, np.random.default_rng(seed), kernel=kernel, **options)
            for kernel in ("numpy", "compiled")
        )
        assert one == two, seed
