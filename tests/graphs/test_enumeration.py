from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from automl.graphs.alignment import align
from automl.graphs.edit_costs import EditCosts
from automl.graphs.enumeration import enumerate_matchings, is_enumerable
from automl.graphs.plain import PlainGraph, read_graph


def same_nodes(count):
    return PlainGraph(list(range(count)), ["a"] * count, [False] * count, [])


def test_optimal_matchings_are_drawn_uniformly():
    alignment = align(same_nodes(2), same_nodes(3), EditCosts())
    rng = np.random.default_rng(0)
    counts = Counter(tuple(enumerate_matchings(alignment, rng).targets) for _ in range(6000))
    assert len(counts) == 6
    assert max(abs(count - 1000) for count in counts.values()) < 150


def test_without_a_generator_the_first_matching_is_returned():
    assert enumerate_matchings(align(same_nodes(2), same_nodes(3), EditCosts()), None).targets == [0, 1]


@pytest.mark.parametrize(("small", "large", "expected"), [(5, 5, True), (6, 6, True), (7, 7, False), (1, 17, False)])
def test_only_small_searches_are_enumerated(small, large, expected):
    assert is_enumerable(align(same_nodes(small), same_nodes(large), EditCosts())) is expected


def test_costs_that_favour_replacement_are_not_enumerated():
    assert not is_enumerable(align(same_nodes(2), same_nodes(2), EditCosts(node_relabel=3.0)))


def test_one_matching_is_found_for_cells_without_free_nodes(draw_graph):
    empty = read_graph(draw_graph(np.random.default_rng(0), 2, density=1.0))
    solution = enumerate_matchings(align(empty, empty, EditCosts()), None)
    assert (solution.upper, solution.targets) == (0.0, [])
