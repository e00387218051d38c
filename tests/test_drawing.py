from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import networkx as nx
import pytest

from automl.drawing import _layout, _without_root, draw
from automl.graphs.decisions import decisions_graph


def cell() -> nx.DiGraph[Any]:
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for node, label in enumerate(("input", "conv3x3", "conv1x1", "pool", "conv3x3", "output")):
        graph.add_node(node, label=label, terminal=label in ("input", "output"))
    graph.add_edges_from([(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5), (1, 5), (0, 5)])
    return graph


@pytest.mark.parametrize(("image_format", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml")])
def test_picture_is_in_the_format_asked_for_and_always_the_same(image_format: Any, start: bytes) -> None:
    picture = draw(cell(), "trial 3 · 6 nodes", image_format)
    assert picture.startswith(start)
    if image_format == "png":
        assert draw(cell(), "trial 3 · 6 nodes", image_format) == picture


def test_edges_point_right_and_no_box_touches_another() -> None:
    layout = _layout(cell())
    centres, boxes = layout.centres, layout.boxes
    assert all(centres[source][0] < centres[target][0] for source, target in layout.paths)
    nodes = list(boxes)
    for i, first in enumerate(nodes):
        for second in nodes[:i]:
            apart_x = abs(centres[first][0] - centres[second][0]) >= (boxes[first].width + boxes[second].width) / 2
            apart_y = abs(centres[first][1] - centres[second][1]) >= (boxes[first].height + boxes[second].height) / 2
            assert apart_x or apart_y


def test_equal_labels_have_equal_colours_and_different_ones_differ() -> None:
    boxes = _layout(cell()).boxes
    assert boxes[1].colour == boxes[4].colour
    assert len({boxes[node].colour for node in (0, 1, 2, 3)}) == 4


def test_list_of_decisions_is_drawn_without_its_root() -> None:
    from automl.decisions import Categorical

    names = [f"width_{i}" for i in range(20)]
    graph = decisions_graph([Categorical(name, "width", (1, 2)) for name in names], dict.fromkeys(names, 2))
    boxes = _layout(_without_root(graph)).boxes
    assert [box.lines for box in boxes.values()] == [(f"{name} = 2",) for name in names]


@pytest.mark.parametrize("edges", [[], [("a", "b")], [(i, j) for j in range(8) for i in range(j)]])
def test_any_acyclic_graph_can_be_drawn(edges: list[Any]) -> None:
    graph: nx.DiGraph[Any] = nx.DiGraph(edges)
    graph.add_node("alone", label=json.dumps(["odd", None]))
    for source, target in edges:
        graph.edges[source, target]["label"] = f"{source} to {target}"
    assert draw(graph, "").startswith(b"\x89PNG")
    assert draw(nx.DiGraph(), "nothing").startswith(b"\x89PNG")


def test_importing_the_module_does_not_import_matplotlib() -> None:
    code = "import sys, automl.drawing; print('matplotlib' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "False"
