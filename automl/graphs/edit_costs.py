"""Costs of the unit edits that turn one labelled graph into another."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from automl.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class EditCosts:
    """Non-negative costs of inserting, deleting and relabelling one node or one edge.

    >>> EditCosts(node_insert=2.0).reversed().node_delete
    2.0
    """

    node_insert: float = 1.0
    node_delete: float = 1.0
    node_relabel: float = 1.0
    edge_insert: float = 1.0
    edge_delete: float = 1.0
    edge_relabel: float = 1.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigurationError(f"`{field.name}` must be a finite cost of at least 0, but got {value}")

    def reversed(self) -> EditCosts:
        """Return the costs of the same edits undone: insertion and deletion change places."""
        return EditCosts(
            self.node_delete,
            self.node_insert,
            self.node_relabel,
            self.edge_delete,
            self.edge_insert,
            self.edge_relabel,
        )

    @property
    def edge_substitute(self) -> float:
        """The least cost of giving an edge another label: a relabelling, or a deletion and an insertion."""
        return min(self.edge_relabel, self.edge_delete + self.edge_insert)

    @property
    def is_integral(self) -> bool:
        """Whether every cost is a whole number, so that bounds may be rounded up."""
        return all(float(getattr(self, field.name)).is_integer() for field in fields(self))

    @property
    def is_exact(self) -> bool:
        """Whether every cost is a multiple of 1/1024 below 1,024, so that sums are exact whatever their order."""
        values = [getattr(self, field.name) for field in fields(self)]
        return all(value < 1024 and (value * 1024).is_integer() for value in map(float, values))

    @property
    def favours_substitution(self) -> bool:
        """Whether relabelling a node never costs more than deleting it and inserting another."""
        return self.node_relabel <= self.node_delete + self.node_insert
