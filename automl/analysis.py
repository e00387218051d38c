"""The analysis: a computation without trials, whose figures reproduce what was published.

Not every finding is a search: the landscape of a benchmark table, or the numbers of a theorem. An analysis computes
such figures exactly and by name, so that a study file can say within which bands they must lie (`[expect]`). Such a
file has a table `[analysis]`, with the name and the options side by side, in place of all that defines a search:

    [analysis]
    name = "landscape"
    thresholds = [94.0]
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeAlias

from pydantic import ValidationError

from automl.definition import ComponentSpec, DefinitionError
from automl.errors import unknown_name
from automl.options import Component, parse_options
from automl.plugins import Kind, registry

FORM = "analysis"
"""The table that makes a study file one of an analysis."""

ReportProgress: TypeAlias = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AnalysisTable:
    """Rows for people to read, printed above the figures; numbers are printed with four digits.

    >>> AnalysisTable("Maxima", ("cell", "value"), (("|none~0|", 10.0),)).columns
    ('cell', 'value')
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | float, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the table as JSON-able data."""
        return {"title": self.title, "columns": list(self.columns), "rows": [list(row) for row in self.rows]}


@dataclass(frozen=True, slots=True)
class Findings:
    """What an analysis found: named figures, and tables that show more than the figures do.

    >>> Findings({"maximum": 94.37}).figures["maximum"]
    94.37
    """

    figures: Mapping[str, float]
    tables: tuple[AnalysisTable, ...] = field(default=())


class Analysis(Component, ABC):
    """Computes named figures.

    Contract: the figures depend on the options and on installed data alone; there is no randomness and no clock in
    them. `figures` is answered without computing anything, and without data, so that a mistake in a study file is
    found before the work begins; it names what `run` returns, all of it.
    """

    kind: ClassVar[str] = "analysis"

    @abstractmethod
    def figures(self) -> tuple[str, ...]:
        """Return the names of the figures that `run` finds, in the order in which they are printed."""

    @abstractmethod
    def run(self, progress: ReportProgress) -> Findings:
        """Compute the figures; ``progress`` may be called with one line about what is being done.

        Raises:
            ConfigurationError: an option names something that is missing or does not fit.
            TaskError: data are missing; the message says which file.
        """


def make_component(kind: Kind, spec: ComponentSpec | str) -> Any:
    """Return the component that ``spec`` names, with its options checked.

    Raises:
        ConfigurationError: the name or an option is unknown or wrong.

    >>> make_component("space", ComponentSpec(name="nas_cell", options={"max_nodes": 4})).options.max_nodes
    4
    """
    named = ComponentSpec(name=spec) if isinstance(spec, str) else spec
    component = registry().load(kind, named.name)
    return component(parse_options(component, named.name, named.options))


def parse_analysis(values: Mapping[str, Any]) -> ComponentSpec:
    """Return the analysis that a study file with a table `[analysis]` names.

    Raises:
        DefinitionError: the table is malformed, or the file has a setting that belongs to a search.

    >>> parse_analysis({"analysis": {"name": "landscape", "thresholds": [94.0]}}).options
    {'thresholds': [94.0]}
    """
    for key in values:
        if key not in (FORM, "expect"):
            message = unknown_name("setting beside [analysis]", key, (FORM, "expect"))
            raise DefinitionError(message, (key,))
    try:
        spec = ComponentSpec.model_validate(values[FORM])
    except ValidationError as invalid:
        error = invalid.errors(include_url=False)[0]
        where = ".".join(str(part) for part in (FORM, *error["loc"]))
        raise DefinitionError(f"`{where}`: {error['msg'].lower()}, but got {error['input']!r}", (FORM,)) from None
    if not spec.name:
        raise DefinitionError("`analysis` needs a `name`, as landscape (see `automl list analyses`)", (FORM,))
    return spec
