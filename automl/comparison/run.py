"""Running a comparison: every study in turn, in this process or in several, always resumable.

Contract: a comparison and all its studies are written in one transaction before the first one runs. What has ended is
never run again; what was interrupted goes on from its own log. A comparison may therefore be killed at any moment, and
its outcome is the same however often it was, and in however many processes it runs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

from automl.comparison.comparison import ENDED, Comparison, Member
from automl.comparison.definition import ComparisonDefinition, parse_comparison
from automl.comparison.workshop import Workshop
from automl.engine import Stopper, Watchers
from automl.errors import UsageError
from automl.storage.store import Store
from automl.tracker import Tracker

OnStudy: TypeAlias = Callable[[Member, int], None]
"""Called in this process after each study that has ended, with how many of all have."""

log = logging.getLogger("automl")


def write(workshop: Workshop, store: Store) -> Comparison:
    """Return the comparison that ``workshop`` describes: written now, or the one that is there already.

    Without a name, it takes the first that is free, or has that very definition: the same command goes on with the same
    comparison.

    Raises:
        UsageError: there is one of that name with another definition; says in what they differ.
    """
    definition = workshop.definition
    if definition.name is None:
        definition = parse_comparison({**definition.to_json(), "name": _name(definition, store)})
        workshop = replace(workshop, definition=definition)
    name = definition.name or ""
    found = store.comparisons.find(name)
    if found is None:
        store.comparisons.create(name, definition.to_json(), workshop.new_studies())
        return Comparison(store, name)
    if different := parse_comparison(found.definition).differences(definition):
        more = f" (and {len(different) - 3} more)" if len(different) > 3 else ""
        raise UsageError(
            f"there is a comparison {name!r} already, and it is another one: "
            f"{'; '.join(different[:3])}{more}; choose another name"
        )
    if found.definition != definition.to_json():
        store.comparisons.redefine(found.id, definition.to_json())
    return Comparison(store, name)


def run(
    comparison: Comparison,
    workshop: Workshop,
    *,
    jobs: int = 1,
    stopper: Stopper | None = None,
    on_study: OnStudy = lambda member, done: None,
) -> bool:
    """Run the studies that have not ended, and say whether all have now.

    Args:
        comparison: of `write`.
        workshop: its components.
        jobs: studies at a time; more than one run in processes of their own.
        stopper: when requested, the studies that run are interrupted, and no other starts.
        on_study: see `OnStudy`.

    Raises:
        StudyFailed: a study cannot go on.
        ConfigurationError: the data of a component are not those with which the comparison began.
    """
    stop = stopper or Stopper()
    store = comparison.store
    states = dict(store.comparisons.states(comparison.record.id))
    todo = [member for member in comparison.members if states[member.study] not in ENDED]
    for label in {member.strategy.label: member for member in todo}.values():
        workshop.check_unchanged(store, label)
    done = len(states) - len(todo)
    if jobs > 1 and len(todo) > 1:
        from automl.comparison.pool import run_in_processes

        return run_in_processes(comparison, workshop.durability, todo, min(jobs, len(todo)), stop, on_study)
    for member in todo:
        if stop.is_requested():
            break
        if workshop.run(store, member, stop) in ENDED:
            done += 1
            on_study(member, done)
    return done == len(states)


def announce(comparison: Comparison, trackers: Sequence[Tracker]) -> None:
    """Tell ``trackers`` that a comparison is over; one that fails is named and harms nothing."""
    Watchers(trackers).each(lambda tracker: tracker.comparison_finished(comparison))


def _name(definition: ComparisonDefinition, store: Store) -> str:
    base = "-".join([*(space.rpartition(":")[2] for space in definition.spaces), "comparison"])
    known = {record.name: record.definition for record in store.comparisons.all()}
    taken = {study.name for study in store.studies()}
    number = 1
    while True:
        name = f"{base}-{number}"
        if name in known and not parse_comparison(known[name]).differences(definition):
            return name
        if name not in known and name not in taken:
            return name
        number += 1
