"""The compiled loops give what the NumPy code gives; without Numba fewer pairs are compared, as the loops are slow."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from automl.graphs import compiled, kernels
from automl.graphs.alignment import align
from automl.graphs.branch_and_bound import Budget, branch_and_bound
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import plain_edit_distance
from automl.graphs.enumeration import enumerate_matchings, is_enumerable
from automl.graphs.plain import PlainGraph, read_graph

SEEDS = 150 if compiled.IS_COMPILED else 12
SIZES = (12, 14, 18, 25) if compiled.IS_COMPILED else (12,)

COSTS = (
    EditCosts(),
    EditCosts(2.0, 1.0, 1.5, 1.0, 2.0, 1.0),
    EditCosts(1.0, 1.0, 5.0, 1.0, 0.5, 4.0),
    EditCosts(1.0, 0.0, 0.25, 3.0, 0.125, 1.0),
)


@pytest.fixture(autouse=True)
def loops(monkeypatch):
    """The loops themselves, compiled or not."""
    monkeypatch.setattr(kernels, "_load", lambda: compiled)


def pair(draw_graph, seed, largest=10):
    """Return two random graphs: sizes, edge labels, cycles and terminals, also unequal ones, vary with the seed."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(0, largest + 1, size=2)
    options = {"edge_labels": seed % 2 == 0, "cyclic": seed % 3 == 0}
    terminals = seed % 5 > 0
    first = draw_graph(rng, int(sizes[0]), terminals=terminals and sizes[0] > 1, **options)
    second = draw_graph(rng, int(sizes[1]), terminals=(terminals or seed % 10 == 0) and sizes[1] > 1, **options)
    return read_graph(first), read_graph(second)


@pytest.mark.parametrize("costs", COSTS, ids=["unit", "sub", "replace", "zero"])
def test_searches_give_the_same_matchings_and_bounds(draw_graph, costs):
    for seed in range(SEEDS):
        alignment = align(*pair(draw_graph, seed), costs)
        budget = Budget(nodes=1 + seed % 37) if seed % 4 == 0 else Budget(nodes=200)
        found = [
            branch_and_bound(alignment, budget, np.random.default_rng(seed) if seed % 3 else None, kernel)
            for kernel in ("numpy", "compiled")
        ]
        assert found[0] == found[1], seed


def test_large_searches_visit_the_same_nodes(draw_graph):
    """After any number of nodes the bounds agree, so the nodes do."""
    rng = np.random.default_rng(0)
    for size in SIZES:
        first, second = (read_graph(draw_graph(rng, size, density=2 / size, terminals=False)) for _ in range(2))
        alignment = align(first, second, EditCosts())
        for nodes in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89):
            found = [branch_and_bound(alignment, Budget(nodes), None, kernel) for kernel in ("numpy", "compiled")]
            assert found[0] == found[1], (size, nodes)


@pytest.mark.parametrize("costs", COSTS[:2], ids=["unit", "sub"])
def test_enumerations_draw_the_same_matching(draw_graph, costs):
    for seed in range(SEEDS):
        alignment = align(*pair(draw_graph, seed, 7), costs)
        if is_enumerable(alignment):
            found = [
                enumerate_matchings(alignment, np.random.default_rng(seed), kernel) for kernel in ("numpy", "compiled")
            ]
            assert found[0] == found[1], seed


def test_a_clock_stops_both_after_the_same_node(draw_graph):
    rng = np.random.default_rng(0)
    first, second = (read_graph(draw_graph(rng, 14, density=0.3)) for _ in range(2))
    found = []
    for kernel in ("numpy", "compiled"):
        ticks = itertools.count()
        budget = Budget(deadline=20.0, clock=lambda ticks=ticks: float(next(ticks)))
        found.append((plain_edit_distance(first, second, EditCosts(), budget, None, kernel), next(ticks)))
    assert found[0] == found[1]
    assert not found[0][0].optimal


def test_seconds_give_a_certified_gap(draw_graph):
    rng = np.random.default_rng(1)
    first, second = (read_graph(draw_graph(rng, 25, density=0.12, terminals=False)) for _ in range(2))
    budget = Budget(deadline=time.monotonic() + 0.05)
    found = plain_edit_distance(first, second, EditCosts(), budget, rng, "compiled")
    assert 0 < found.lower < found.upper


def test_costs_whose_sums_are_not_exact_are_left_to_numpy(draw_graph):
    costs = EditCosts(edge_insert=0.1, edge_delete=0.3)
    assert not costs.is_exact
    alignment = align(*pair(draw_graph, 7), costs)
    assert branch_and_bound(alignment, Budget(), None, "compiled") == branch_and_bound(
        alignment, Budget(), None, "numpy"
    )


def test_graphs_without_nodes_are_no_special_case():
    empty, one = PlainGraph([], [], [], []), PlainGraph([0], ["a"], [False], [])
    for first, second, expected in ((empty, empty, 0.0), (empty, one, 1.0), (one, empty, 1.0)):
        alignment = align(first, second, EditCosts())
        assert branch_and_bound(alignment, Budget(), None, "compiled").upper == expected
