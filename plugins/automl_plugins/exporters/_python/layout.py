"""Text of expressions, laid out as formatters lay it out: in one line where it fits, else one item a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 88
"""Columns of a line, what formatters allow unless told otherwise."""

INDENT = "    "


@dataclass(frozen=True, slots=True)
class Group:
    """Items in brackets: a call, a list, an index.

    >>> Group("torch.cat(", (Group("[", ("x", "y"), "]"), "1"), ")").line
    'torch.cat([x, y], 1)'
    """

    opening: str
    items: Sequence[Text]
    closing: str

    @property
    def line(self) -> str:
        """The group in one line."""
        return f"{self.opening}{', '.join(map(one_line, self.items))}{self.closing}"


Text: TypeAlias = "str | Group"


def one_line(text: Text) -> str:
    """Return ``text`` in one line."""
    return text if isinstance(text, str) else text.line


def call(name: str, *items: Text) -> Group:
    """Return a call of ``name``."""
    return Group(f"{name}(", items, ")")


def lay_out(before: str, text: Text, depth: int, after: str = "") -> list[str]:
    """Return the lines of ``before``, ``text`` and ``after`` at ``depth`` levels of indentation.

    What does not fit in a line is broken after its brackets and commas, with a comma at the end, which formatters keep.

    >>> lay_out("x = ", Group("f(", ("a", "b"), ")"), 1)
    ['    x = f(a, b)']
    """
    margin = INDENT * depth
    line = f"{margin}{before}{one_line(text)}{after}"
    if isinstance(text, str) or not text.items or len(line) <= WIDTH:
        return [line]
    lines = [f"{margin}{before}{text.opening}"]
    for item in text.items:
        lines += lay_out("", item, depth + 1, ",")
    return [*lines, f"{margin}{text.closing}{after}"]
