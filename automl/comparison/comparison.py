"""A comparison as people read it: its definition, its studies, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from automl.comparison.definition import ComparedStrategy, ComparisonDefinition, parse_comparison
from automl.errors import StudyNotFound, unknown_name
from automl.storage.records import ComparisonRecord
from automl.storage.store import Store
from automl.study import StudyState

if TYPE_CHECKING:
    from automl.comparison.report import ComparisonReport

ENDED = frozenset({StudyState.COMPLETED.value, StudyState.EXHAUSTED.value})
"""States of a study that a comparison does not touch again."""


@dataclass(frozen=True, slots=True)
class Member:
    """One study of a comparison: its name, its strategy and its seed."""

    study: str
    strategy: ComparedStrategy
    seed: int


@dataclass(frozen=True)
class Comparison:
    """A comparison in a store. Reading only: `automl.compare` runs one.

    ``view`` is a definition to report it by in place of its own, with other checkpoints, another metric and the like.

    >>> Comparison(Store("sqlite://"), "none").store.comparisons.all()
    []
    """

    store: Store
    name: str
    view: ComparisonDefinition | None = None

    @property
    def record(self) -> ComparisonRecord:
        """The row of the comparison, as it is now; raises `StudyNotFound`."""
        found = self.store.comparisons.find(self.name)
        if found is None:
            known = [record.name for record in self.store.comparisons.all()]
            if any(study.name == self.name for study in self.store.studies()):
                raise StudyNotFound(f"{self.name!r} is a study, no comparison; `automl show {self.name}` shows it")
            raise StudyNotFound(unknown_name("comparison", self.name, known, "automl studies"))
        return found

    @cached_property
    def definition(self) -> ComparisonDefinition:
        """The definition; what concerns the report alone may change from one run to the next."""
        return self.view or parse_comparison(self.record.definition)

    @property
    def members(self) -> list[Member]:
        """All studies, in the order in which they run: seed by seed."""
        definition = self.definition
        return [Member(definition.study_name(each.label, seed), each, seed) for each, seed in definition.plan()]

    @property
    def done(self) -> int:
        """Number of studies that have ended."""
        return sum(state in ENDED for _, state in self._states())

    @property
    def state(self) -> StudyState:
        """``completed``, ``running``, ``failed``, ``created`` or ``interrupted``, from the states of the studies."""
        states = self._states()
        found = {state for _, state in states}
        if found <= ENDED:
            return StudyState.COMPLETED
        running = [name for name, state in states if state == StudyState.RUNNING]
        if any(self.store.is_live(self.store.study(name).id) for name in running):
            return StudyState.RUNNING
        if StudyState.FAILED in found:
            return StudyState.FAILED
        return StudyState.CREATED if found == {StudyState.CREATED.value} else StudyState.INTERRUPTED

    def report(self) -> ComparisonReport:
        """Return what the finished studies show; raises `UsageError` when no seed is complete yet."""
        from automl.comparison.report import report_of

        return report_of(self)

    def _states(self) -> list[tuple[str, str]]:
        return self.store.comparisons.states(self.record.id)


def load_comparison(name: str, *, storage: str = "automl.db", store: Store | None = None) -> Comparison:
    """Return a comparison to read; raises `StudyNotFound`."""
    found = Comparison(store or Store(storage, create=False), name)
    _ = found.definition
    return found
