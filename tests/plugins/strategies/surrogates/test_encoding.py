import itertools
import math

import automl_fakes
import networkx as nx
import numpy as np
import pytest

from automl.testing.problems import CellSpace, ConditionalSpace, FlatSpace
from automl_plugins.strategies._surrogates.encoding import (
    Encoder,
    adjacency_features,
    columns_of,
    hamming_features,
    has_graphs,
    longest_path,
    matrix,
    one_hot_features,
    path_features,
    weisfeiler_lehman_features,
)
from automl_spaces.nas_bench_201 import Cell, NasBench201
from automl_spaces.nas_cell import NasCell

GRAPHS = [CellSpace(), NasCell(), NasBench201()]


def brute_force_paths(graph, longest):
    """Every simple path from a source to a sink, by NetworkX, as a sequence of labels of nodes and edges."""
    found = set()
    sources = [node for node in graph if graph.in_degree(node) == 0]
    sinks = [node for node in graph if graph.out_degree(node) == 0]
    for source in sources:
        for sink in sinks:
            for path in nx.all_simple_paths(graph, source, sink):
                if 2 <= len(path) <= longest + 2:
                    labels = [str(graph.nodes[source]["label"])]
                    for before, node in itertools.pairwise(path):
                        edge = graph.edges[before, node].get("label")
                        labels += [str(edge)] if edge else []
                        labels.append(str(graph.nodes[node]["label"]))
                    found.add("\x1f".join(labels))
    return found


@pytest.mark.parametrize("space", GRAPHS, ids=lambda space: type(space).__name__)
@pytest.mark.parametrize("longest", [0, 1, 2, 9])
def test_paths_are_those_of_brute_force(space, longest):
    rng = np.random.default_rng(longest)
    for _ in range(40):
        graph = space.computed_graph_of(space.sample(rng))
        assert set(path_features(graph, longest)) == brute_force_paths(graph, longest)


def test_paths_through_parallel_nodes_are_one_bit_and_few_even_in_a_deep_graph():
    graph = nx.DiGraph()
    graph.add_node("in", label="input", terminal=True)
    layer = ["in"]
    for depth in range(20):
        nodes = [f"{depth}{side}" for side in "ab"]
        graph.add_nodes_from(nodes, label="conv")
        graph.add_edges_from((before, node) for before in layer for node in nodes)
        layer = nodes
    graph.add_node("out", label="output", terminal=True)
    graph.add_edges_from((node, "out") for node in layer)
    assert len(path_features(graph, 20)) == 1  # of a million paths
    assert path_features(graph, 19) == {}


def test_truncation_keeps_paths_shorter_than_the_logarithm_of_the_observations():
    for labels in (2, 3, 5):
        for observations in range(2, 600):
            limit = math.log(observations) / math.log(labels)
            kept = longest_path(observations, labels)
            assert kept == 1 or kept < limit + 1e-9
            assert kept + 1 >= limit - 1e-9
    assert [longest_path(n, 3) for n in (3, 9, 10, 27, 28, 82)] == [1, 1, 2, 2, 3, 4]
    assert longest_path(500, 1) == longest_path(500, 2)


def test_the_longest_path_follows_what_was_told():
    space = NasBench201()
    told = [space.sample(np.random.default_rng(i)) for i in range(40)]
    encoder = Encoder(space, "path")
    assert encoder.longest_path(told[:2]) == 1
    assert encoder.longest_path(told) == 3  # log_3(40) = 3.4, with two convolutions and a pooling
    assert Encoder(space, "one_hot").longest_path(told) == 0


def test_isomorphic_cells_have_equal_paths():
    space = NasBench201()
    skip = space.encode(Cell(("none", "none", "none", "skip_connect", "none", "none")))
    detour = space.encode(Cell(("skip_connect", "none", "none", "none", "skip_connect", "none")))
    one, other = (path_features(space.computed_graph_of(values), 3) for values in (skip, detour))
    assert one == other == {"input\x1foutput": 1.0}


@pytest.mark.parametrize("space", [FlatSpace(), ConditionalSpace(), automl_fakes.MlpSpace()])
def test_a_space_without_graphs_is_seen_by_its_answers(space):
    one = space.sample(np.random.default_rng(0))
    assert not has_graphs(space)
    for encoding in ("path", "adjacency"):
        assert Encoder(space, encoding).features(one, 1) == one_hot_features(space.decisions(one), one)


def test_one_hot_has_a_column_per_answer_and_places_numbers_in_their_interval():
    space = ConditionalSpace()
    one = space.validate(
        {"depth": 2, "width_0": 4, "width_1": 64, "inputs_0": (0,), "inputs_1": (0, 1), "source@depth=2": 1}
        | {"is_dropping": True, "rate": math.sqrt(0.01 * 0.5)}
    )
    found = one_hot_features(space.decisions(one), one)
    assert (found["depth~"], found["width_0~"], found["width_1~"]) == (0.5, 0.0, 1.0)
    assert found["rate~"] == pytest.approx(0.5)
    assert found["source@depth=2=1"] == found["inputs_1[0]"] == found["inputs_1[1]"] == found["is_dropping=True"] == 1


def test_adjacency_sees_positions():
    graph = nx.DiGraph()
    graph.add_node("x", label="input", terminal=True)
    graph.add_node("y", label="conv")
    graph.add_edge("x", "y", label="skip")
    assert adjacency_features(graph) == {"1:conv": 1.0, "0-1:skip": 1.0}


def test_the_distance_of_hamming_features_counts_the_decisions_that_differ():
    space, rng = NasBench201(), np.random.default_rng(0)
    for _ in range(30):
        one, other = space.sample(rng), space.sample(rng)
        assert l1(space, one, other) == sum(one[name] != other[name] for name in one)


def test_the_distance_of_mixed_decisions_adds_up_by_hand():
    space = ConditionalSpace()
    base = {"depth": 1, "width_0": 4, "inputs_0": (0,), "source@depth=1": 0, "is_dropping": False}
    one = space.validate(base)
    dropping = space.validate({**base, "is_dropping": True, "rate": 0.01})
    assert l1(space, one, dropping) == pytest.approx(2)  # the switch, and the rate that one does not have
    assert l1(space, dropping, space.validate({**dropping, "rate": 0.5})) == pytest.approx(1)
    half = space.validate({**base, "width_0": 16})
    assert l1(space, one, half) == pytest.approx(0.5)
    deep = {"depth": 2, "width_1": 4, "inputs_1": (0, 1), "source@depth=2": 0}
    both = space.validate({**base, **deep})
    first = space.validate({**base, **deep, "inputs_1": (0,)})
    assert l1(space, both, first) == pytest.approx(0.5)  # one of two items


def l1(space, one, other):
    rows = [hamming_features(space.decisions(each), each) for each in (one, other)]
    left, right = matrix(rows, columns_of(rows))
    return float(np.abs(left - right).sum())


def test_weisfeiler_lehman_counts_by_hand():
    graph = nx.DiGraph()
    graph.add_nodes_from([("a", {"label": "x"}), ("b", {"label": "y"}), ("c", {"label": "y"})])
    graph.add_edges_from([("a", "b"), ("a", "c")])
    features = weisfeiler_lehman_features(graph, 1)
    assert features["0:x"] == 1
    assert features["0:y"] == 2
    assert sorted(count for name, count in features.items() if name.startswith("1:")) == [1, 2]
    graph.add_edge("b", "c")  # now b and c differ in their neighbours
    assert sorted(c for n, c in weisfeiler_lehman_features(graph, 1).items() if n.startswith("1:")) == [1, 1, 1]


@pytest.mark.parametrize("space", GRAPHS, ids=lambda space: type(space).__name__)
def test_weisfeiler_lehman_features_do_not_depend_on_the_encoding(space):
    rng = np.random.default_rng(1)
    for _ in range(20):
        one = space.sample(rng)
        other = space.reorder(one, rng)
        found = [weisfeiler_lehman_features(space.computed_graph_of(each), 3) for each in (one, other)]
        assert found[0] == found[1]


def test_columns_are_sorted_and_unknown_features_left_out():
    rows = [{"b": 1.0}, {"a": 2.0, "c": 3.0}]
    assert list(columns_of(rows)) == ["a", "b", "c"]
    assert matrix(rows, columns_of(rows[:1])).tolist() == [[1.0], [0.0]]
