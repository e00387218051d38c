"""A picture of a shortest-edit-path crossover: both parents, the edits between them, and the child.

The four panels share one layout, that of all nodes and edges together, so that matched nodes stand at the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import networkx as nx

from automl.canvas import ImageFormat, blank_figure, file_of
from automl.drawing import (
    _INK,
    Node,
    _box,
    _colours,
    _draw_box,
    _draw_edge,
    _extent,
    _Layout,
    _layout,
    _Pen,
)
from automl.graphs.edit_path import (
    DeleteEdge,
    DeleteNode,
    Edit,
    EditPath,
    InsertEdge,
    InsertNode,
    RelabelEdge,
    RelabelNode,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DOTS_PER_INCH = 110
_WIDE = 7.5
"""Panels wider than this, in inches, stand below each other; narrower ones two by two."""
_HEADING, _HEAD, _FOOT = 0.42, 0.34, 0.4
# Paul Tol's bright scheme, and dashes besides: told apart by the colour-blind and in print.
_COLOURS = {"inserted": "#228833", "deleted": "#cc3311", "relabelled": "#ee7733"}
_WAY = {
    InsertNode: "inserted",
    InsertEdge: "inserted",
    DeleteNode: "deleted",
    DeleteEdge: "deleted",
    RelabelNode: "relabelled",
    RelabelEdge: "relabelled",
}
_DASHES = (0, (4, 2.4))


@dataclass(frozen=True, slots=True)
class _Panel:
    """One of the four pictures.

    Attributes:
        pens: other ways of drawing some nodes and edges (pairs of nodes).
        relabelled: the label before and after, of nodes that show both.
    """

    title: str
    graph: nx.DiGraph[Any]
    pens: Mapping[Any, _Pen]
    relabelled: Mapping[Node, tuple[str, str]]


def draw_crossover(path: EditPath, taken: Iterable[int], title: str, image_format: ImageFormat = "png") -> bytes:
    """Return a picture of the parents of ``path``, its edits, and the child that takes the edits ``taken``.

    Edits that are taken are drawn solid, the others dashed; each in the colour of what it does.

    Args:
        taken: indices of edits, as `EditPath.choose` draws them; those that they need are taken too.
        title: one line above the picture.
        image_format: ``png`` or ``svg``.
    """
    closed = path.closure(taken)
    panels, layout = _panels(path, closed)
    left, right, bottom, top = _extent(layout)
    width, height = right - left, top - bottom
    columns = 1 if width > _WIDE else 2
    rows = len(panels) // columns
    size = columns * width, _HEADING + rows * (height + _HEAD) + _FOOT
    figure = blank_figure(*size, dots=_DOTS_PER_INCH)
    figure.text(0.5, 1 - 0.12 / size[1], title, ha="center", va="top", fontsize=12, color=_INK)
    for index, panel in enumerate(panels):
        row, column = divmod(index, columns)
        below = size[1] - _HEADING - (row + 1) * (height + _HEAD)
        axes = figure.add_axes((column / columns, below / size[1], 1 / columns, height / size[1]))
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.axis("off")
        place = (column + 0.5) / columns, (below + height + 0.06) / size[1]
        figure.text(*place, panel.title, ha="center", va="bottom", fontsize=10, weight="bold", color=_INK)
        _draw_panel(axes, layout, panel)
    _draw_legend(figure)
    return file_of(figure, image_format)


def _panels(path: EditPath, closed: int) -> tuple[list[_Panel], _Layout]:
    """Return base, other parent, edits and child, and the layout that they share."""
    count = path.distance
    edits = path.edits
    base, other = path.apply(()), path.apply(range(count))
    chosen = [index for index in range(count) if closed >> index & 1]
    union: nx.DiGraph[Any] = nx.compose(other, base)
    pens: dict[Any, _Pen] = {}
    before: dict[Node, str] = {}
    for index, edit in enumerate(edits):
        if isinstance(edit, RelabelNode):
            before[edit.node] = base.nodes[edit.node]["label"]
            union.nodes[edit.node]["label"] = max(before[edit.node], f"→ {edit.label}", key=len)
        elif isinstance(edit, RelabelEdge):
            old = base.edges[edit.source, edit.target].get("label", "")
            union.edges[edit.source, edit.target]["label"] = f"{old} → {edit.label}"
        colour = _COLOURS[_WAY[type(edit)]]
        pens[_place(edit)] = _Pen(colour, 2.0) if closed >> index & 1 else _Pen(colour, 1.5, _DASHES)
    both = {node: (label, f"→ {other.nodes[node]['label']}") for node, label in before.items()}
    panels = [
        _Panel("first parent", base, {}, {}),
        _Panel("second parent", other, {}, {}),
        _Panel(f"shortest edit path: {count} edits, {len(chosen)} of them taken", union, pens, both),
        _Panel("child", path.apply(chosen), {}, {}),
    ]
    colours = _shared_colours([panel for panel in panels if panel.graph is not union])
    labels = {str(attributes.get("label", "")) for *_, attributes in union.edges(data=True)}
    colours |= dict.fromkeys(labels - colours.keys(), "white")
    return panels, replace(_layout(_acyclic(union)), colours=colours)


def _place(edit: Edit) -> Any:
    return edit.node if isinstance(edit, (InsertNode, DeleteNode, RelabelNode)) else (edit.source, edit.target)


def _acyclic(union: nx.DiGraph[Any]) -> nx.DiGraph[Any]:
    """Return the graph less edges that close a cycle; parents without cycles can have some together."""
    plain: nx.DiGraph[Any] = nx.DiGraph()
    plain.add_nodes_from(union.nodes(data=True))
    for source, target, attributes in union.edges(data=True):
        if not nx.has_path(plain, target, source):
            plain.add_edge(source, target, **attributes)
    return plain


def _shared_colours(panels: Iterable[_Panel]) -> dict[str, str]:
    labels: nx.DiGraph[Any] = nx.DiGraph()
    for panel in panels:
        for node, attributes in panel.graph.nodes(data=True):
            labels.add_node((panel.title, node), **attributes)
        for source, target, attributes in panel.graph.edges(data=True):
            labels.add_edge((panel.title, source), (panel.title, target), **attributes)
    return _colours(labels)


def _draw_panel(axes: Axes, layout: _Layout, panel: _Panel) -> None:
    for source, target, attributes in panel.graph.edges(data=True):
        label = str(attributes.get("label", ""))
        pen = panel.pens.get((source, target), _Pen("#606060", 1.1))
        if (source, target) in layout.paths:
            _draw_edge(axes, layout, layout.paths[source, target], label, pen)
        else:
            _draw_back(axes, layout, source, target, pen)
    for node, attributes in panel.graph.nodes(data=True):
        shared = layout.boxes[node]
        if node in panel.relabelled:
            box = replace(shared, lines=panel.relabelled[node], colour="white", height=shared.height + 0.1)
        else:
            box = replace(_box(node, attributes, layout.colours), width=shared.width)
        _draw_box(axes, box, layout.centres[node], panel.pens.get(node, _Pen(_INK, 0.9)))


def _draw_back(axes: Axes, layout: _Layout, source: Node, target: Node, pen: _Pen) -> None:
    """Draw an edge that runs against the others as an arc below the boxes."""
    from matplotlib.patches import FancyArrowPatch

    ends = [(x, y - layout.boxes[node].height / 2) for node in (source, target) for x, y in [layout.centres[node]]]
    axes.add_patch(
        FancyArrowPatch(
            ends[0],
            ends[1],
            connectionstyle="arc3,rad=-0.25",
            arrowstyle="-|>",
            mutation_scale=9,
            color=pen.colour,
            linewidth=pen.width,
            linestyle=pen.dashes,
            zorder=1,
        )
    )


def _draw_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color=colour, linewidth=2.0, label=way) for way, colour in _COLOURS.items()]
    lines.append(Line2D([], [], color=_INK, linewidth=2.0, label="taken"))
    lines.append(Line2D([], [], color=_INK, linewidth=1.5, linestyle=_DASHES, label="left"))
    figure.legend(handles=lines, loc="lower center", ncols=len(lines), frameon=False, fontsize=9)
