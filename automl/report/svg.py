"""Pictures of Matplotlib as parts of a page: without addresses elsewhere, with its colours left to the page.

Each colour of ours becomes a variable of the page's style sheet, which has one value by day and one by night. What
Matplotlib writes black it leaves out, so that the page's ink is inherited.
"""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from automl.canvas import GREY, INK

PAPER, SOFT, LINE = "#ffffff", "#606060", "#d8d8d8"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#882255", "#332288", "#999933")
"""Okabe and Ito's scheme without black, grey and yellow, and three dark ones of Paul Tol's, as in comparisons."""

_VARIABLES = {PAPER: "paper", INK: "ink", SOFT: "soft", GREY: "grey", LINE: "line"} | {
    colour: f"c{place}" for place, colour in enumerate(COLOURS, 1)
}
_COLOUR = re.compile(r"#[0-9a-f]{6}\b")
_PALE = 0.42
"""How much of a colour is left in the pale bars of correlations."""
_LEFT_OUT = re.compile(
    r"<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->|<defs>\s*</defs>| xmlns:xlink=\"[^\"]*\"", re.DOTALL
)
_ROOT = re.compile(r"<svg\b[^>]*>")
_SIZE = re.compile(r'viewBox="0 0 ([\d.]+) ([\d.]+)"')
_ID = re.compile(r'\bid="([^"]+)"')
_USED = re.compile(r'(?:xlink:)?href="#([^"]+)"|url\(#([^)]+)\)')
_PIXELS_PER_POINT = 96 / 72


def inlined(svg: bytes, key: str, alt: str, *, is_paper: bool) -> Markup:
    """Return a picture as an element of a page.

    Args:
        svg: as Matplotlib writes it.
        key: one of its own on the page, letters and digits: the picture's ids begin with it.
        alt: what the picture shows.
        is_paper: keep its colours.

    The element has its natural width in pixels as the variable ``--natural``.
    """
    text = svg.decode()
    text = _LEFT_OUT.sub("", text[text.index("<svg") :])
    root = _ROOT.search(text)
    size = _SIZE.search(root[0]) if root else None
    assert root is not None
    assert size is not None
    text = _renamed(text[root.end() :], key)
    if not is_paper:
        text = _COLOUR.sub(lambda match: _variable(match[0]), text)
    style = f"--natural:{float(size[1]) * _PIXELS_PER_POINT:.0f}px"
    head = f'<svg viewBox="0 0 {size[1]} {size[2]}" style="{style}" role="img" aria-label="{escape(alt)}">'
    return Markup(head + re.sub(r">\s+<", "><", text))


def _renamed(text: str, key: str) -> str:
    """Return the picture with ids of its own, numbered as they come; ids that nothing refers to go."""
    used = {first or second for first, second in _USED.findall(text)}
    names = {name: f"{key}-{place}" for place, name in enumerate(dict.fromkeys(_ID.findall(text))) if name in used}
    text = _ID.sub(lambda match: f'id="{names[match[1]]}"' if match[1] in names else "", text)

    def reference(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        return f'href="#{names[name]}"' if match[1] else f"url(#{names[name]})"

    return _USED.sub(reference, text)


def _variable(colour: str) -> str:
    if colour in _VARIABLES:
        return f"var(--{_VARIABLES[colour]})"
    full = _FULL.get(colour)
    return f"color-mix(in srgb, var(--{_VARIABLES[full]}) {_PALE:.0%}, var(--paper))" if full else colour


def _pale(colour: str) -> str:
    """Return the colour mixed with white, as `automl.correlation.picture` has it."""
    parts = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(_PALE * part + (1 - _PALE) * 255):02x}" for part in parts)


_FULL = {_pale(colour): colour for colour in _VARIABLES if colour != PAPER}
