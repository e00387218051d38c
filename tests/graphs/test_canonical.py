from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automl.graphs.canonical import canonical_key, certificate, plain_canonical_key

ROOT = Path(__file__).parents[2]
FIXED = ["input", "conv", "pool", "output"], [(0, 1, ""), (0, 2, "x"), (1, 3, ""), (2, 3, "")]


def are_isomorphic(first, second):
    return nx.is_isomorphic(
        first,
        second,
        node_match=lambda a, b: a["label"] == b["label"] and bool(a.get("terminal")) == bool(b.get("terminal")),
        edge_match=lambda a, b: a.get("label", "") == b.get("label", ""),
    )


def uniform(edges, size=None):
    graph = nx.DiGraph(edges)
    graph.add_nodes_from(range(size or 0))
    nx.set_node_attributes(graph, "a", "label")
    return graph


@st.composite
def small_graphs(draw):
    """A digraph of up to 5 nodes over few labels, so that isomorphic pairs are common."""
    size = draw(st.integers(0, 5))
    graph = nx.DiGraph()
    for node in range(size):
        graph.add_node(node, label=draw(st.sampled_from("ab")))
    if size and draw(st.booleans()):
        graph.nodes[0]["terminal"] = True
    pairs = [pair for pair in product(range(size), repeat=2) if pair[0] != pair[1]]
    for pair in draw(st.lists(st.sampled_from(pairs), unique=True, max_size=6)) if pairs else []:
        graph.add_edge(*pair, label=draw(st.sampled_from(["", "x"])))
    return graph


@settings(max_examples=400, deadline=None)
@given(small_graphs(), small_graphs())
def test_certificates_are_equal_exactly_for_isomorphic_graphs(first, second):
    assert (certificate(first) == certificate(second)) == are_isomorphic(first, second)
    assert (canonical_key(first) == canonical_key(second)) == are_isomorphic(first, second)


@pytest.mark.parametrize("seed", range(60))
def test_renumbering_keeps_the_key(draw_graph, renumber, seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 10))
    graph = draw_graph(rng, size, edge_labels=seed % 2 == 0, terminals=seed % 3 > 0, cyclic=seed % 5 == 0)
    assert canonical_key(renumber(graph, rng)) == canonical_key(graph)


def test_classes_of_all_small_digraphs_are_as_many_as_known():
    """There are 3, 16 and 218 digraphs on 2, 3 and 4 nodes (OEIS A000273)."""
    for size, count in ((2, 3), (3, 16), (4, 218)):
        pairs = [pair for pair in product(range(size), repeat=2) if pair[0] != pair[1]]
        keys = set()
        for bits in range(1 << len(pairs)):
            edges = [(*pair, "") for i, pair in enumerate(pairs) if bits >> i & 1]
            keys.add(plain_canonical_key(["a"] * size, edges))
        assert len(keys) == count


def test_node_label_terminal_flag_edge_label_and_direction_all_count():
    base = plain_canonical_key(["a", "b"], [(0, 1, "")])
    others = [
        plain_canonical_key(["a", "c"], [(0, 1, "")]),
        plain_canonical_key(["a", "b"], [(0, 1, "")], [True, False]),
        plain_canonical_key(["a", "b"], [(0, 1, "x")]),
        plain_canonical_key(["a", "b"], [(1, 0, "")]),
        plain_canonical_key(["a", "b"], []),
        plain_canonical_key(["ab", ""], [(0, 1, "")]),
    ]
    assert len({base, *others}) == 7


def test_plain_lists_and_graphs_have_one_key(draw_graph):
    graph = draw_graph(np.random.default_rng(5), 6)
    labels = [label for _, label in graph.nodes(data="label")]
    terminals = [bool(flag) for _, flag in graph.nodes(data="terminal")]
    assert plain_canonical_key(labels, [(*edge, "") for edge in graph.edges], terminals) == canonical_key(graph)


@pytest.mark.parametrize("hash_seed", ["0", "1", "4242"])
def test_the_key_does_not_depend_on_the_process(hash_seed):
    code = f"from automl.graphs.canonical import plain_canonical_key as key; print(key(*{FIXED!r}))"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == plain_canonical_key(*FIXED)


def test_the_key_of_a_fixed_graph_never_changes():
    assert plain_canonical_key(*FIXED) == "40984db0c184957846690cd5ce546e43"


def test_any_string_can_be_a_label():
    labels = ["", "é", "\ud800", "\x00", "a b", "1 2"]
    assert len({plain_canonical_key([label], []) for label in labels}) == len(labels)


def symmetric_graphs():
    parallel = [(0, i) for i in range(1, 13)] + [(i, 13) for i in range(1, 13)]
    branches = [edge for i in range(8) for edge in ((0, 2 * i + 1), (2 * i + 1, 2 * i + 2), (2 * i + 2, 17))]
    bipartite = list(product(range(8), range(8, 16)))
    cycles = [(5 * k + i, 5 * k + (i + 1) % 5) for k in range(4) for i in range(5)]
    cube = [(a, a ^ 1 << i) for a in range(16) for i in range(4)]
    complete = [(a, b) for a, b in product(range(9), repeat=2) if a != b]
    return {
        "parallel": uniform(parallel),
        "branches": uniform(branches),
        "bipartite": uniform(bipartite),
        "cycles": uniform(cycles),
        "cube": uniform(cube),
        "complete": uniform(complete),
        "empty": uniform([], 20),
    }


@pytest.mark.parametrize("name", list(symmetric_graphs()))
def test_symmetric_graphs_stay_cheap(renumber, name):
    graph = symmetric_graphs()[name]
    start = time.perf_counter()
    keys = {canonical_key(renumber(graph, np.random.default_rng(seed))) for seed in range(5)}
    assert len(keys) == 1
    assert time.perf_counter() - start < 5.0


def test_graphs_that_colour_refinement_confuses_are_told_apart():
    def cycles(*lengths):
        starts = np.cumsum([0, *lengths]).tolist()
        return uniform([(s + i, s + (i + 1) % n) for s, n in zip(starts, lengths, strict=False) for i in range(n)])

    assert canonical_key(cycles(3, 3)) != canonical_key(cycles(6))
    assert canonical_key(cycles(3, 5)) != canonical_key(cycles(4, 4))
    both_ways = [nx.to_directed(graph) for graph in (nx.cycle_graph(6), nx.disjoint_union_all([nx.cycle_graph(3)] * 2))]
    assert canonical_key(uniform(both_ways[0].edges)) != canonical_key(uniform(both_ways[1].edges))
    prism, crossed = nx.circular_ladder_graph(3), nx.complete_bipartite_graph(3, 3)
    assert canonical_key(uniform(nx.to_directed(prism).edges)) != canonical_key(uniform(nx.to_directed(crossed).edges))
    rook = nx.line_graph(nx.complete_bipartite_graph(4, 4))
    shrikhande = nx.Graph(
        [
            (4 * x + y, 4 * ((x + dx) % 4) + (y + dy) % 4)
            for x, y in product(range(4), repeat=2)
            for dx, dy in ((0, 1), (1, 0), (1, 1))
        ]
    )
    rook = nx.convert_node_labels_to_integers(rook)
    assert canonical_key(uniform(nx.to_directed(rook).edges)) != canonical_key(
        uniform(nx.to_directed(shrikhande).edges)
    )
