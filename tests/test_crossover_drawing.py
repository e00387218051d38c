from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from automl import EditPath, draw_crossover
from automl.crossover_drawing import _COLOURS, _panels


def line(labels, extra=()):
    graph = nx.DiGraph()
    graph.add_node("in", label="input", terminal=True)
    for node, label in enumerate(labels):
        graph.add_node(node, label=label)
    graph.add_node("out", label="output", terminal=True)
    nx.add_path(graph, ["in", *range(len(labels)), "out"])
    graph.add_edges_from(extra)
    return graph


def path_of(first, second):
    return EditPath.between(first, second, rng=np.random.default_rng(0))


@pytest.mark.parametrize(("image_format", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_picture_is_in_the_format_asked_for(image_format, start):
    path = path_of(line(["conv", "pool", "conv"]), line(["conv", "conv"], [("in", "out")]))
    picture = draw_crossover(path, path.choose(np.random.default_rng(0)), "a crossover", image_format)
    assert picture.startswith(start)


def test_every_edit_has_a_pen_and_what_is_left_is_dashed():
    path = path_of(line(["conv", "pool", "conv"]), line(["conv", "conv"], [("in", "out")]))
    panels, layout = _panels(path, path.closure([0]))
    pens = panels[2].pens
    assert len(pens) == path.distance
    assert {pen.colour for pen in pens.values()} <= set(_COLOURS.values())
    assert sum(pen.dashes == "-" for pen in pens.values()) == path.closure([0]).bit_count()
    assert set(layout.centres) >= set(panels[0].graph) | set(panels[1].graph)


def test_parents_and_child_are_the_ends_of_the_path_and_the_graph_on_it():
    path = path_of(line(["conv", "pool", "conv"]), line(["conv", "pool", "pool", "conv"]))
    rng = np.random.default_rng(3)
    taken = path.choose(rng)
    panels, _ = _panels(path, path.closure(taken))
    assert nx.utils.graphs_equal(panels[0].graph, path.apply(()))
    assert nx.utils.graphs_equal(panels[1].graph, path.apply(range(path.distance)))
    assert nx.utils.graphs_equal(panels[3].graph, path.sample(np.random.default_rng(3)))


def test_parents_that_form_a_cycle_together_can_be_drawn():
    first, second = line(["a", "b"]), line(["a", "b"])
    second.remove_edge(0, 1)
    second.add_edges_from([(1, 0), ("in", 1), (0, "out")])
    path = path_of(first, second)
    assert draw_crossover(path, path.choose(np.random.default_rng(0)), "both ways").startswith(b"\x89PNG")


def test_relabelled_edges_show_both_labels():
    first, second = line(["a"]), line(["a"])
    first.edges["in", 0]["label"], second.edges["in", 0]["label"] = "skip", "conv"
    panels, _ = _panels(path_of(first, second), 1)
    assert panels[2].graph.edges["in", 0]["label"] == "skip → conv"
    assert draw_crossover(path_of(first, second), [0], "an edge").startswith(b"\x89PNG")
