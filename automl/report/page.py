"""What a report says, before anyone decides how it looks: chapters of sections of blocks.

A chapter is one problem: a study with those that are drawn beside it, or a comparison. Text is plain; between backticks
it is code. Nothing here is markup, so nothing here can break a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from automl.canvas import ImageFormat

Width: TypeAlias = Literal["wide", "narrow"]
Draw: TypeAlias = Callable[[ImageFormat, Width], bytes]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; a `note` is set apart."""

    text: str
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what they are, in order."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table; the columns named in ``numeric`` are aligned to the right."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numeric: Sequence[str] = ()
    caption: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """A picture.

    Attributes:
        name: what its file is called, without the suffix.
        alt: what it shows, for those who cannot see it.
        draw: returns it; drawn only when needed.
        caption: one line below it.
        has_narrow: whether there is another form for small screens; a wide one can be scrolled there.
        is_paper: whether it keeps its own white ground in the dark, as drawings of networks do.
    """

    name: str
    alt: str
    draw: Draw
    caption: str = ""
    has_narrow: bool = False
    is_paper: bool = False


@dataclass(frozen=True, slots=True)
class Code:
    """Lines to type, or a file."""

    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """Blocks that are shown when asked for."""

    summary: str
    blocks: Sequence[Block]


Block: TypeAlias = Text | Facts | Grid | Plot | Code | Folded


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the top of a chapter."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A headed part of a chapter; ``key`` is the same for the same kind of section, as ``best``."""

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Chapter:
    """All about one problem."""

    name: str
    subtitle: str
    tiles: Sequence[Tile]
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report; ``made`` says when, in seconds since 1970, and ``store`` from where."""

    title: str
    chapters: Sequence[Chapter]
    store: str
    made: float


def plots_of(page: Page) -> list[Plot]:
    """Return every picture of a page, in order."""
    found: list[Plot] = []

    def walk(blocks: Sequence[Block]) -> None:
        for block in blocks:
            if isinstance(block, Plot):
                found.append(block)
            elif isinstance(block, Folded):
                walk(block.blocks)

    for chapter in page.chapters:
        for section in chapter.sections:
            walk(section.blocks)
    return found
