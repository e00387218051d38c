"""Identifiers of the written source."""

from __future__ import annotations

import builtins
import keyword
import re

_TAKEN = frozenset(
    {*keyword.kwlist, *keyword.softkwlist, *dir(builtins), "torch", "nn", "functional", "self", "Tensor"}
)


class Names:
    """Hands out identifiers, each once.

    >>> names = Names()
    >>> names.new("add"), names.new("add"), names.new("0.lambda")
    ('add', 'add_2', 'layer_0_lambda')
    """

    def __init__(self, separator: str = "_") -> None:
        self._separator = separator
        self._known: set[str] = set()

    def new(self, wish: str) -> str:
        """Return ``wish`` as an identifier that was not handed out before."""
        first = identifier(wish)
        name, count = first, 1
        while name in self._known:
            count += 1
            name = f"{first}{self._separator}{count}"
        self._known.add(name)
        return name


def identifier(wish: str) -> str:
    """Return ``wish`` as an identifier that shadows nothing."""
    plain = re.sub(r"\W+", "_", wish).strip("_") or "value"
    plain = f"layer_{plain}" if plain[0].isdigit() else plain
    return f"{plain}_" if plain in _TAKEN else plain


def class_name(wish: str) -> str:
    """Return ``wish`` in capitals: ``block_body`` is ``BlockBody``.

    >>> class_name("_block_body"), class_name("EdgeCell"), class_name("0")
    ('BlockBody', 'EdgeCell', 'Layer0')
    """
    parts = [part[:1].upper() + part[1:] for part in identifier(wish).split("_") if part]
    return "".join(parts)
