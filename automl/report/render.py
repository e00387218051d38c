"""A page as one file of HTML: no network, no scripts, no addresses elsewhere.

Everything is escaped by the template engine but the pictures, which Matplotlib writes and escapes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from automl.report.page import Block, Page, Plot
from automl.report.svg import inlined
from automl.version import __version__

GENERATOR = "automl report"
"""What `<meta name="generator">` says, so that a page of ours is known again."""

_TEMPLATES = Path(__file__).parent / "templates"
_CODE = re.compile(r"`([^`]+)`")


def html_of(page: Page) -> str:
    """Return the page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["inline"] = inline
    style = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
    return environment.get_template("page.html.jinja").render(
        page=page,
        style=Markup(style),
        kind=_kind,
        picture=_pictures(),
        generator=f"{GENERATOR} {__version__}",
        made=time.strftime("%Y-%m-%d %H:%M", time.localtime(page.made)),
    )


def inline(text: str) -> Markup:
    """Return escaped text, what stands between backticks as code.

    >>> inline("`a<b` & c")
    Markup('<code>a&lt;b</code> &amp; c')
    """
    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(text))))


def _kind(block: Block) -> str:
    return type(block).__name__.lower()


def _pictures() -> Callable[[Plot], Any]:
    """Return what makes the elements of a plot; each has ids of its own."""
    count = 0

    def picture(plot: Plot) -> list[tuple[str, Markup]]:
        nonlocal count
        found = []
        for width in ("wide", "narrow") if plot.has_narrow else ("only",):
            count += 1
            svg = plot.draw("svg", "narrow" if width == "narrow" else "wide")
            found.append((width, inlined(svg, f"p{count}", plot.alt, is_paper=plot.is_paper)))
        return found

    return picture
