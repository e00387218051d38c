"""What a trained network says in words: a formula, what its parts became, pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Explanation:
    """What a search space reads out of a trained network, for people.

    Attributes:
        lines: plain text, one line each.
        pictures: PNG files by name, without the ending.

    >>> Explanation(("y = 2 x",)).text
    'y = 2 x'
    """

    lines: tuple[str, ...]
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)
