"""The catalogue: named things that a plugin's options choose from, beside the components.

Activation functions are no component: nothing configures or runs them alone. But a person who writes
``--set space.activation=mish`` wants to know which there are, and what mish is. A catalogue answers both:

    automl list activations
    automl describe activation mish

A catalogue is registered under the plural of what it holds, with an s; one of them is named by the singular.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from automl.options import Component


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One line of a catalogue.

    >>> CatalogueEntry("mish", "gated", "x·tanh(sp(x))").group
    'gated'
    """

    name: str
    group: str
    summary: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over the same points, for drawing.

    >>> Plot((0.0, 1.0), {"square": (0.0, 1.0)}).x
    (0.0, 1.0)
    """

    x: tuple[float, ...]
    curves: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class CataloguePage:
    """All that is said of one entry: facts as pairs of a word and a text, and a plot where one says more.

    >>> CataloguePage("mish", (("formula", "x·tanh(sp(x))"),)).plot is None
    True
    """

    title: str
    facts: tuple[tuple[str, str], ...]
    plot: Plot | None = field(default=None)


class Catalogue(Component, ABC):
    """Named things to be listed and described.

    Contract: `entries` and `page` depend on nothing but the installed code, and may be called in any order. Names are
    unique. `page` answers for every name of `entries`, and for other names of the same things, if there are any.
    """

    kind: ClassVar[str] = "catalogue"

    @abstractmethod
    def entries(self) -> Sequence[CatalogueEntry]:
        """Return all entries, in the order in which they are listed."""

    @abstractmethod
    def page(self, name: str) -> CataloguePage:
        """Return what is known of an entry.

        Raises:
            ConfigurationError: there is none of that name; the message says the nearest one.
        """
