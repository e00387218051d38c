"""Where a mirror is and how far it has come, read without writing to it and without importing MLflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from automl import Study
from automl_plugins.trackers._mlflow_mirror.places import Place
from automl_plugins.trackers._mlflow_mirror.reading import experiment_at, is_there, told_at
from automl_plugins.trackers._mlflow_mirror.server import trouble_at


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of a mirror.

    Attributes:
        place: where it is, without a password.
        is_there: whether there is something at that place.
        trouble: why it cannot be read, in a few words; empty when it can.
        behind: of each study that is not shown completely, by name, the number of told trials shown and in the store.
    """

    place: str
    is_there: bool = True
    trouble: str = ""
    behind: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def standing_at(place: Place, studies: Sequence[Study]) -> Standing:
    """Return the state of the mirror at ``place``, and with which of ``studies`` it is behind; writes nothing."""
    if place.is_server and (trouble := trouble_at(place)):
        return Standing(place.display_uri, trouble=f"does not answer ({trouble})")
    if not is_there(place):
        return Standing(place.display_uri, is_there=False)
    behind: dict[str, tuple[int, int]] = {}
    for study in studies:
        experiment = experiment_at(place, study.definition.project)
        shown = 0 if experiment is None else told_at(place, experiment.id, study.record.uid)
        told = sum(record.told_order is not None for record in study.records)
        if shown < told:
            behind[study.name] = (shown, told)
    return Standing(place.display_uri, behind=behind)
