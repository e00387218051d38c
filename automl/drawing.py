"""Drawings of architectures: a labelled DAG from left to right, as PNG or SVG.

Nodes stand in layers, by their longest path from a source. Within a layer they are ordered to reduce crossings, by
barycentre sweeps [1]. An edge that spans several layers gets an invisible node in each, so that it runs between boxes
and never under one. Equal labels have equal colours, as far as possible the same in every picture.

[1] Sugiyama, Tagawa, Toda. Methods for visual understanding of hierarchical system structures. 1981.
"""

from __future__ import annotations

import hashlib
import json
import re
import textwrap
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import networkx as nx

from automl.canvas import ImageFormat, blank_figure, file_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Node: TypeAlias = Hashable
Point: TypeAlias = tuple[float, float]

_SWEEPS = 8
_MAX_COLUMN = 8
"""A graph without chains (a list of decisions) is set in columns of at most this many rows."""
_INCH_PER_LETTER, _INCH_PER_LABEL_LETTER, _INCH_PER_TITLE_LETTER = 0.085, 0.07, 0.092
_BOX_HEIGHT, _ROW_GAP, _LAYER_GAP, _FREE_GAP = 0.42, 0.34, 0.62, 0.3
_WIDEST_FOR_TITLE = 8.5
_LETTERS_PER_LINE = 22
_TERMINAL, _INK, _EDGE = "#e8e8e8", "#202020", "#606060"
# Paul Tol's light qualitative scheme: distinct for the colour-blind, and dark ink is readable on all of them.
_COLOURS = (
    "#77aadd",
    "#ee8866",
    "#eedd88",
    "#ffaabb",
    "#99ddff",
    "#44bb99",
    "#bbcc33",
    "#aaaa00",
    "#d6b4e7",
    "#c9a88b",
)


@dataclass(frozen=True, slots=True)
class _Box:
    """A node as drawn: its lines of text, colour and size in inches. A bend of an edge has no lines."""

    lines: tuple[str, ...]
    colour: str
    is_terminal: bool
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class _Layout:
    """Boxes, their centres in inches (y upwards), each edge's way from box to box, and the colours of labels."""

    boxes: Mapping[Node, _Box]
    centres: Mapping[Node, Point]
    paths: Mapping[tuple[Node, Node], tuple[Node, ...]]
    colours: Mapping[str, str]


def draw(graph: nx.DiGraph[Any], title: str, image_format: ImageFormat = "png") -> bytes:
    """Return a picture of a labelled DAG.

    Args:
        graph: nodes may carry ``label`` and ``terminal``, edges ``label``, as `SearchSpace.graph_of` describes. The
            root and the edges of a graph of decisions say nothing and are left out.
        title: one line above the picture.
        image_format: ``png`` or ``svg``.

    >>> draw(nx.DiGraph([("input", "output")]), "a line")[1:4]
    b'PNG'
    """
    layout = _layout(_without_root(graph))
    left, right, bottom, top = _extent(layout)
    width, height = max(right - left, 2.4, min(_WIDEST_FOR_TITLE, len(title) * _INCH_PER_TITLE_LETTER)), top - bottom
    heading = "\n".join(textwrap.wrap(title, int(width / _INCH_PER_TITLE_LETTER)))
    head = 0.16 + 0.2 * len(heading.splitlines())
    figure = blank_figure(width, height + head)
    axes = figure.add_axes((0, 0, 1, height / (height + head)))
    middle = (left + right) / 2
    axes.set_xlim(middle - width / 2, middle + width / 2)
    axes.set_ylim(bottom, top)
    axes.axis("off")
    figure.text(0.5, 1 - 0.08 / (height + head), heading, ha="center", va="top", fontsize=10, color=_INK)
    for edge, path in layout.paths.items():
        _draw_edge(axes, layout, path, str(graph.edges[edge].get("label", "")))
    for node, box in layout.boxes.items():
        if box.lines:
            _draw_box(axes, box, layout.centres[node])
    return file_of(figure, image_format)


# Layout.


def _layout(graph: nx.DiGraph[Any]) -> _Layout:
    colours = _colours(graph)
    boxes = {node: _box(node, attributes, colours) for node, attributes in graph.nodes(data=True)}
    if graph.number_of_edges() == 0:
        return _columns(list(graph), boxes, colours)
    layer = _layers(graph)
    paths = {(source, target): _path(source, target, layer) for source, target in graph.edges}
    for path in paths.values():
        for place, bend in enumerate(path[1:-1], 1):
            layer[bend] = layer[path[0]] + place
            boxes[bend] = _Box((), "", False, 0.0, 0.1)
    rows = _order(layer, paths.values())
    for row in rows:
        width = max(boxes[node].width for node in row)
        boxes |= {node: replace(boxes[node], width=width) for node in row if not boxes[node].lines}
    letters = max(len(str(label)) for _, _, label in graph.edges(data="label", default=""))
    gap = max(_LAYER_GAP, 0.5 + _INCH_PER_LABEL_LETTER * letters) if letters else _LAYER_GAP
    return _Layout(boxes, _place(rows, boxes, paths, gap), paths, colours)


def _columns(nodes: Sequence[Node], boxes: dict[Node, _Box], colours: Mapping[str, str]) -> _Layout:
    count = max(1, -(-len(nodes) // _MAX_COLUMN))
    rows = max(1, -(-len(nodes) // count))
    centres, x = {}, 0.0
    for start in range(0, len(nodes), rows):
        column = nodes[start : start + rows]
        width = max(boxes[node].width for node in column)
        top = 0.0
        for node in column:
            boxes[node] = replace(boxes[node], width=width)
            centres[node] = (x + width / 2, top - boxes[node].height / 2)
            top -= boxes[node].height + _ROW_GAP / 2
        x += width + _FREE_GAP
    return _Layout(boxes, centres, {}, colours)


def _layers(graph: nx.DiGraph[Any]) -> dict[Node, int]:
    """Return the longest path to each node; sources other than the first stand just before their successors."""
    layer: dict[Node, int] = {}
    for node in nx.topological_sort(graph):
        layer[node] = max((layer[before] + 1 for before in graph.predecessors(node)), default=0)
    for node in reversed(list(nx.topological_sort(graph))):
        if graph.in_degree(node) == 0 and graph.out_degree(node) > 0 and not graph.nodes[node].get("terminal"):
            layer[node] = min(layer[after] for after in graph.successors(node)) - 1
    return layer


def _path(source: Node, target: Node, layer: Mapping[Node, int]) -> tuple[Node, ...]:
    bends = tuple((source, target, between) for between in range(layer[source] + 1, layer[target]))
    return (source, *bends, target)


def _order(layer: Mapping[Node, int], paths: Any) -> list[list[Node]]:
    """Return the nodes of each layer in the order, of all sweeps, with the fewest crossings."""
    rows: list[list[Node]] = [[] for _ in range(max(layer.values()) + 1)]
    for node, place in layer.items():
        rows[place].append(node)
    before: dict[Node, list[Node]] = {node: [] for node in layer}
    after: dict[Node, list[Node]] = {node: [] for node in layer}
    for path in paths:
        for source, target in pairwise(path):
            before[target].append(source)
            after[source].append(target)
    best, fewest = [list(row) for row in rows], _crossings(rows, after)
    for sweep in range(_SWEEPS):
        neighbours, order = (before, rows) if sweep % 2 == 0 else (after, rows[::-1])
        for earlier, row in pairwise(order):
            height = {node: i / max(1, len(earlier) - 1) for i, node in enumerate(earlier)}
            means = {node: _mean([height[n] for n in neighbours[node] if n in height], 0.5) for node in row}
            row.sort(key=means.__getitem__)
        if (crossings := _crossings(rows, after)) < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[Node]], after: Mapping[Node, Sequence[Node]]) -> int:
    count = 0
    for row, following in pairwise(rows):
        place = {node: i for i, node in enumerate(following)}
        ends = [(i, place[target]) for i, node in enumerate(row) for target in after[node] if target in place]
        count += sum(1 for a, b in ends for c, d in ends if a < c and b > d)
    return count


def _place(
    rows: Sequence[Sequence[Node]],
    boxes: Mapping[Node, _Box],
    paths: Mapping[tuple[Node, Node], Sequence[Node]],
    gap: float,
) -> dict[Node, Point]:
    """Return centres: layers from left to right; in each, nodes near their neighbours' mean height, never too close."""
    heights = {node: -i * 0.8 + (len(row) - 1) * 0.4 for row in rows for i, node in enumerate(row)}
    neighbours: dict[Node, list[Node]] = {node: [] for node in heights}
    for path in paths.values():
        for source, target in pairwise(path):
            neighbours[source].append(target)
            neighbours[target].append(source)
    for sweep in range(2 * _SWEEPS):
        for row in rows if sweep % 2 == 0 else rows[::-1]:
            wanted = [_mean([heights[other] for other in neighbours[node]], heights[node]) for node in row]
            heights.update(zip(row, _spread(wanted, [boxes[node].height for node in row]), strict=True))
    centres: dict[Node, Point] = {}
    x = 0.0
    for row in rows:
        width = max(boxes[node].width for node in row)
        centres.update({node: (x + width / 2, heights[node]) for node in row})
        x += width + gap
    return centres


def _spread(wanted: Sequence[float], sizes: Sequence[float]) -> list[float]:
    """Return heights, from the top down, as near to ``wanted`` as boxes of ``sizes`` may stand."""
    groups: list[tuple[list[int], float]] = []
    offsets = [0.0]
    for above, below in pairwise(sizes):
        offsets.append(offsets[-1] + (above + below) / 2 + _ROW_GAP)
    for i, height in enumerate(wanted):
        members, base = [i], height + offsets[i]
        while groups and groups[-1][1] < base:
            earlier, other = groups.pop()
            base = (base * len(members) + other * len(earlier)) / (len(members) + len(earlier))
            members = [*earlier, *members]
        groups.append((members, base))
    return [base - offsets[i] for members, base in groups for i in members]


def _extent(layout: _Layout) -> tuple[float, float, float, float]:
    margin = 0.18
    spans = [(*layout.centres[node], box.width / 2, box.height / 2) for node, box in layout.boxes.items()]
    return (
        min((x - w for x, _, w, _ in spans), default=0.0) - margin,
        max((x + w for x, _, w, _ in spans), default=2.0) + margin,
        min((y - h for _, y, _, h in spans), default=0.0) - margin,
        max((y + h for _, y, _, h in spans), default=0.5) + margin,
    )


# Ink.


@dataclass(frozen=True, slots=True)
class _Pen:
    """How an outline or an edge is drawn; ``dashes`` is a line style of Matplotlib."""

    colour: str
    width: float
    dashes: Any = "-"


_OUTLINE, _ARROW = _Pen(_INK, 0.9), _Pen(_EDGE, 1.1)


def _draw_box(axes: Axes, box: _Box, centre: Point, pen: _Pen = _OUTLINE) -> None:
    from matplotlib.patches import FancyBboxPatch

    x, y = centre[0] - box.width / 2, centre[1] - box.height / 2
    rounding = box.height / 2 if box.is_terminal else 0.09
    style = f"round,pad=0,rounding_size={rounding}"
    axes.add_patch(
        FancyBboxPatch(
            (x, y),
            box.width,
            box.height,
            style,
            facecolor=box.colour,
            edgecolor=pen.colour,
            linewidth=pen.width,
            linestyle=pen.dashes,
            zorder=3,
        )
    )
    slant: Literal["italic", "normal"] = "italic" if box.is_terminal else "normal"
    axes.text(*centre, "\n".join(box.lines), ha="center", va="center", fontsize=9, style=slant, color=_INK, zorder=4)


def _draw_edge(axes: Axes, layout: _Layout, path: Sequence[Node], label: str, pen: _Pen = _ARROW) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    sides = [(*layout.centres[node], layout.boxes[node].width / 2) for node in path]
    start = (sides[0][0] + sides[0][2], sides[0][1])
    corners, codes = [start], [Path.MOVETO]
    for (x0, y0, half0), (x1, y1, half1) in pairwise(sides):
        middle = (x0 + half0 + x1 - half1) / 2
        corners += [(middle, y0), (middle, y1), (x1 - half1, y1), (x1 + half1, y1)]
        codes += [Path.CURVE4, Path.CURVE4, Path.CURVE4, Path.LINETO]
    outline = Path(corners[:-1], codes[:-1])
    axes.add_patch(
        FancyArrowPatch(
            path=outline,
            arrowstyle="-|>",
            mutation_scale=9,
            color=pen.colour,
            linewidth=pen.width,
            linestyle=pen.dashes,
            zorder=1,
        )
    )
    if label:
        style = {"facecolor": layout.colours[label], "edgecolor": "white", "boxstyle": "round,pad=0.2"}
        place = _label_place(sides)
        axes.text(*place, label, ha="center", va="center", fontsize=7.5, color=_INK, zorder=5, bbox=style)


def _label_place(sides: Sequence[tuple[float, float, float]]) -> Point:
    """Return where a label stands: on the middle bend, or halfway between the two ends."""
    if len(sides) > 2:
        x, y, _ = sides[len(sides) // 2]
        return x, y
    (x0, y0, half0), (x1, y1, half1) = sides
    return (x0 + half0 + x1 - half1) / 2, (y0 + y1) / 2


def _box(node: Node, attributes: Mapping[str, Any], colours: Mapping[str, str]) -> _Box:
    text = _text(str(attributes.get("label", node)))
    is_terminal = bool(attributes.get("terminal", False))
    lines = tuple(textwrap.wrap(text, _LETTERS_PER_LINE)) or (" ",)
    width = max(0.5, 0.26 + _INCH_PER_LETTER * max(map(len, lines)))
    height = _BOX_HEIGHT + 0.16 * (len(lines) - 1)
    return _Box(lines, _TERMINAL if is_terminal else colours[_kind(text)], is_terminal, width, height)


def _text(label: str) -> str:
    """Return a label for people: the pair ``["width", 3]`` of a graph of decisions as ``width = 3``."""
    if not label.startswith('["'):
        return label
    try:
        name, value = json.loads(label)
    except ValueError:
        return label
    return f"{name} = {value if isinstance(value, str) else json.dumps(value)}"


def _kind(text: str) -> str:
    """Return what a label's colour stands for: the operation, or a decision's name without its number."""
    name, equals, _ = text.partition(" = ")
    return re.sub(r"(_?\d+)+$", "", name) or name if equals else text


def _colours(graph: nx.DiGraph[Any]) -> dict[str, str]:
    """Return a colour per label: the label's own, or the next one that is free in this picture."""
    nodes = {
        _kind(_text(str(attributes.get("label", node))))
        for node, attributes in graph.nodes(data=True)
        if not attributes.get("terminal")
    }
    edges = {str(attributes["label"]) for _, _, attributes in graph.edges(data=True) if "label" in attributes}
    found: dict[str, str] = {}
    for label in sorted(nodes | edges):
        own = int.from_bytes(hashlib.sha256(label.encode()).digest()[:4], "big")
        order = [_COLOURS[(own + i) % len(_COLOURS)] for i in range(len(_COLOURS))]
        found[label] = next((colour for colour in order if colour not in found.values()), order[0])
    return found


def _without_root(graph: nx.DiGraph[Any]) -> nx.DiGraph[Any]:
    """Return ``graph``, or the bare nodes of a graph of decisions, which is a star around one terminal."""
    roots = [node for node, terminal in graph.nodes(data="terminal", default=False) if terminal]
    if len(roots) != 1 or graph.out_degree(roots[0]) != len(graph) - 1 or graph.number_of_edges() != len(graph) - 1:
        return graph
    bare: nx.DiGraph[Any] = nx.DiGraph()
    bare.add_nodes_from((node, attributes) for node, attributes in graph.nodes(data=True) if node != roots[0])
    return bare


def _mean(values: Sequence[float], default: float) -> float:
    return sum(values) / len(values) if values else default
