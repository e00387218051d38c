from __future__ import annotations

import itertools

import numpy as np
import pytest

from automl.graphs.alignment import align
from automl.graphs.branch_and_bound import Budget, branch_and_bound
from automl.graphs.edit_costs import EditCosts
from automl.graphs.edit_distance import edit_distance
from automl.graphs.enumeration import enumerate_matchings
from automl.graphs.plain import read_graph

FOREVER = Budget()


@pytest.mark.parametrize("costs", [EditCosts(), EditCosts(2.0, 1.0, 1.5, 1.0, 2.0, 1.0)], ids=["unit", "other"])
@pytest.mark.parametrize("seed", range(60))
def test_it_agrees_with_trying_every_matching(draw_graph, seed, costs):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 8, size=2)
    options = {"edge_labels": seed % 2 == 0, "cyclic": seed % 3 == 0}
    first, second = (read_graph(draw_graph(rng, int(size), **options)) for size in sizes)
    alignment = align(first, second, costs)
    solution = branch_and_bound(alignment, FOREVER, rng if seed % 2 else None)
    assert solution.upper == pytest.approx(enumerate_matchings(alignment, None).upper)
    assert solution.lower == solution.upper


@pytest.mark.parametrize("seed", range(8))
def test_bounds_enclose_the_distance_and_close_in_with_the_budget(draw_graph, seed):
    rng = np.random.default_rng(seed)
    first, second = (draw_graph(rng, 10, density=0.35, edge_labels=seed % 2 == 0) for _ in range(2))
    exact = edit_distance(first, second)
    assert exact.optimal
    budgets = [1, 2, 4, 8, 16, 32, 64, 128, 100_000]
    found = [edit_distance(first, second, node_budget=budget) for budget in budgets]
    assert all(result.lower <= exact.cost <= result.upper for result in found)
    assert all(later.upper <= earlier.upper for earlier, later in itertools.pairwise(found))
    assert all(result.optimal == (result.lower == result.upper) for result in found)
    assert found[-1].optimal


@pytest.mark.parametrize("seed", range(6))
def test_no_exchange_of_two_images_improves_the_first_matching(draw_graph, mapping_cost, seed):
    rng = np.random.default_rng(seed)
    sizes = (9, 12) if seed % 2 else (12, 9)
    first, second = (draw_graph(rng, size, edge_labels=seed % 3 == 0) for size in sizes)
    costs = EditCosts(1.0, 2.0, 1.0, 1.0, 1.5, 1.0)
    found = edit_distance(first, second, costs=costs, node_budget=1)
    assert mapping_cost(first, second, found.mapping, costs) == pytest.approx(found.cost)
    free = [node for node in first if not first.nodes[node].get("terminal")]
    for one, two in itertools.combinations(free, 2):
        exchanged = {**found.mapping, one: found.mapping[two], two: found.mapping[one]}
        assert mapping_cost(first, second, exchanged, costs) >= found.cost - 1e-9


def test_a_small_budget_leaves_hard_pairs_open(draw_graph):
    rng = np.random.default_rng(0)
    first, second = (draw_graph(rng, 16, density=0.3) for _ in range(2))
    found = edit_distance(first, second, node_budget=3)
    assert not found.optimal
    assert found.lower < found.upper


def test_the_clock_stops_the_search(draw_graph):
    rng = np.random.default_rng(0)
    first, second = (draw_graph(rng, 14, density=0.3) for _ in range(2))
    ticks = itertools.count()
    found = edit_distance(first, second, seconds=5.0, clock=lambda: float(next(ticks)))
    assert not found.optimal
    assert next(ticks) == 6


def test_related_graphs_are_solved_to_the_number_of_edits(draw_graph, renumber):
    rng = np.random.default_rng(1)
    first = draw_graph(rng, 20, density=0.15)
    second = first.copy()
    for node in (3, 8, 12):
        second.nodes[node]["label"] = "new"
    second.remove_edges_from(list(second.edges)[:3])
    found = edit_distance(first, renumber(second, rng), rng=rng, node_budget=5000)
    assert found.optimal
    assert found.cost == 6


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_unrelated_graphs_of_twelve_nodes_are_proven(draw_graph, seed):
    rng = np.random.default_rng(seed)
    first, second = (draw_graph(rng, 12, density=0.25) for _ in range(2))
    assert edit_distance(first, second).optimal
