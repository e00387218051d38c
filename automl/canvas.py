"""What every picture is drawn on and written with: objects of Matplotlib alone, no global figure or backend changes."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ImageFormat: TypeAlias = Literal["png", "svg"]

INK, GREY = "#202020", "#8a8a8a"
"""Colours of writing, and of axes and controls."""


def blank_figure(
    width: float, height: float, *, dots: int = 150, layout: Literal["constrained"] | None = None
) -> Figure:
    """Return a white figure of so many inches, with ``dots`` per inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=dots, facecolor="#ffffff", layout=layout)
    FigureCanvasAgg(figure)
    return figure


def make_plain(axes: Axes) -> None:
    """Leave two thin lines of the frame, and draw the grid behind everything."""
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(GREY)
    axes.tick_params(colors=INK, labelsize=9)


def file_of(figure: Figure, image_format: ImageFormat) -> bytes:
    """Return the file; nothing in it depends on the time of drawing."""
    output = io.BytesIO()
    metadata: dict[str, Any] = {"Date": None} if image_format == "svg" else {"Software": None}
    figure.savefig(output, format=image_format, metadata=metadata)
    return output.getvalue()
