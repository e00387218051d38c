from __future__ import annotations

from automl.graphs.alignment import align
from automl.graphs.edit_costs import EditCosts
from automl.graphs.plain import PlainGraph

TWO = PlainGraph(["i", "a", "b", "h"], ["input", "conv", "conv", "state"], [True, False, False, True], [])
ONE = PlainGraph(["x", "y"], ["conv", "input"], [False, True], [])


def test_the_graph_with_fewer_free_nodes_comes_first():
    costs = EditCosts(node_insert=2.0)
    forward, backward = align(ONE, TWO, costs), align(TWO, ONE, costs)
    assert not forward.is_swapped
    assert backward.is_swapped
    assert backward.small == forward.small == ONE
    assert forward.costs == costs
    assert backward.costs == costs.reversed()


def test_common_terminals_are_pinned_and_others_stand_alone():
    found = align(ONE, TWO, EditCosts())
    assert found.pinned == [(1, 0)]
    assert (found.small_free, found.large_free) == ([0], [1, 2])
    assert (found.small_alone, found.large_alone) == ([], [3])
