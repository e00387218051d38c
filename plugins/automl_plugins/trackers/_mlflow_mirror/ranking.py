"""The tags `automl.rank` and `automl.pareto` of trials' runs, which change as the search goes on.

They are written at intervals and at the end, and only where they changed: a mirror that is opened anew knows from
MLflow which are there. Ranks have two digits, since MLflow sorts tags as text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl_plugins.trackers._mlflow_mirror.fold import Course

if TYPE_CHECKING:
    from automl_plugins.trackers._mlflow_mirror.connection import Connection

RANK, PARETO = "automl.rank", "automl.pareto"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the tags of one trial say; empty where there is none."""

    rank: str = ""
    pareto: str = ""

    @classmethod
    def of(cls, tags: Mapping[str, str]) -> Standing:
        """Return the standing that a run's tags tell of."""
        return cls(tags.get(RANK, ""), tags.get(PARETO, ""))

    @property
    def tags(self) -> dict[str, str]:
        """The tags, the empty ones too."""
        return {RANK: self.rank, PARETO: self.pareto}


NOWHERE = Standing()
"""That of most trials."""


def standings(course: Course) -> dict[int, Standing]:
    """Return the standing of each trial that has one."""
    ranks = {trial.number: f"{place:02d}" for place, trial in enumerate(course.top, 1)}
    front = {trial.number for trial in course.front}
    return {number: Standing(ranks.get(number, ""), "true" if number in front else "") for number in {*ranks, *front}}


def write_standing(connection: Connection, run_id: str, before: Standing, after: Standing) -> None:
    """Write and drop the tags in which two standings differ."""
    old, new = before.tags, after.tags
    changed = {name: value for name, value in new.items() if value and value != old[name]}
    if changed:
        connection.write(run_id, tags=changed)
    for name in (name for name, value in new.items() if not value and old[name]):
        connection.drop_tag(run_id, name)
