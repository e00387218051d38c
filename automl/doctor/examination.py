"""All that is looked at, in order."""

from __future__ import annotations

from automl.doctor.data import data
from automl.doctor.finding import Finding
from automl.doctor.machine import devices, disk, threads
from automl.doctor.software import plugins, versions
from automl.doctor.store import folder_of, store
from automl.errors import AutomlError
from automl.plugins import isolated, registry
from automl.storage.database import store_url
from automl.storage.store import Store
from automl.study import Study

_NEWEST = 20


def examine(storage: str) -> list[Finding]:
    """Return what was found here, for studies in ``storage``; nothing is changed."""
    found = versions()
    if all(one.level == "ok" for one in found if one.part == "torch"):
        found += [*devices(), threads()]
    about_store, opened = store(storage)
    found += about_store
    if isinstance(place := isolated(lambda: disk(folder_of(storage))), Finding):
        found.append(place)
    found += _mlflow(storage, opened)
    return [*found, *plugins(), *data()]


def _mlflow(storage: str, opened: Store | None) -> list[Finding]:
    """Return where the mirror is, whether it answers, and which studies it is behind with."""
    studies = [] if opened is None else [Study(opened, record.name) for record in opened.studies()[-_NEWEST:]]
    mirrored = [study for study in studies if any(spec.name == "mlflow" for spec in study.definition.trackers)]
    standing = isolated(lambda: registry().load("tracker", "mlflow").standing(store_url(storage), mirrored))
    if isinstance(standing, Exception):
        what, _, advice = str(standing).partition("; ")
        known = isinstance(standing, AutomlError)
        return [Finding("mlflow", "warn", what, advice if known else "look at it with `automl ui --debug`")]
    if standing.trouble:
        advice = "start the server, or set MLFLOW_TRACKING_URI; studies are safe without it"
        return [Finding("mlflow", "warn", f"{standing.place}: {standing.trouble}", advice)]
    if not standing.is_there:
        return [Finding("mlflow", "ok", f"{standing.place}: nothing was mirrored there yet")]
    behind = [
        Finding("mlflow", "warn", f"study {name}: {shown} of {told} trials", f"automl mlflow sync {name}")
        for name, (shown, told) in standing.behind.items()
    ]
    text = f"{standing.place}, with {len(mirrored) - len(behind)} of {len(mirrored)} studies up to date"
    return [Finding("mlflow", "ok", text), *behind]
