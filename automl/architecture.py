"""The architecture: the immutable, JSON-able record of one walk through a search space."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from automl.decisions import Value
from automl.errors import InvalidArchitecture

if TYPE_CHECKING:
    from automl.definition import ComponentSpec


@dataclass(frozen=True)
class Architecture(Mapping[str, Value]):
    """Named decisions and their answers, in the order in which they were asked.

    Two architectures are equal when their answers are; whether two different records are the same network is the
    question that `SearchSpace.key` answers.

    >>> mlp = Architecture.of({"depth": 1, "width_0": 32})
    >>> mlp["width_0"], Architecture.from_json(mlp.to_json()) == mlp
    (32, True)
    """

    items_: tuple[tuple[str, Value], ...]
    space: ComponentSpec | None = field(default=None, compare=False, repr=False)
    """The search space, where it is known: notebooks draw the architecture as that space says."""

    @classmethod
    def of(cls, values: Mapping[str, Value]) -> Architecture:
        """Return the record of ``values``, keeping their order."""
        return cls(tuple(values.items()))

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Architecture:
        """Return the architecture that `to_json` wrote; raises `InvalidArchitecture` on anything else."""
        return cls(tuple((str(name), _value(name, value)) for name, value in record.items()))

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object: name to answer, sets as lists."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in self.items_}

    @cached_property
    def _by_name(self) -> dict[str, Value]:
        return dict(self.items_)

    def __getitem__(self, name: str) -> Value:
        """Return the answer to decision ``name``."""
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the decision names in order."""
        return iter(self._by_name)

    def __len__(self) -> int:
        """Return the number of decisions."""
        return len(self.items_)

    def __hash__(self) -> int:
        """Hash the record."""
        return hash(self.items_)

    def _repr_html_(self) -> str:
        from automl.notebook import architecture_html

        return architecture_html(self)

    def __str__(self) -> str:
        """Return compact JSON."""
        return json.dumps(self.to_json(), separators=(",", ":"))


def _value(name: str, value: object) -> Value:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple) and all(type(item) is int for item in value):
        return tuple(value)
    raise InvalidArchitecture(
        f"decision {name!r} must be a boolean, number, string, null or list of integers, but is {value!r}"
    )
