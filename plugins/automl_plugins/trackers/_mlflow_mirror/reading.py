"""Reading a little of what MLflow holds, at once and without importing it: an experiment, and how far a study's run is.

A database is asked for rows of MLflow's tables ``experiments``, ``experiment_tags``, ``runs`` and ``tags``, a server by
its REST API. Neither is written to, and what is absent, broken or guarded by a login reads as nothing.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from automl_plugins.trackers._mlflow_mirror.places import Place

_ANSWER_SECONDS = 2.0
_SQLITE = "sqlite:///"

_TAGS = """
    SELECT e.experiment_id, t.key, t.value FROM experiments e
    LEFT JOIN experiment_tags t ON t.experiment_id = e.experiment_id WHERE e.name = :name
"""
_TOLD = """
    SELECT told.value FROM runs r
    JOIN tags uid ON uid.run_uuid = r.run_uuid AND uid.key = 'automl.study_uid' AND uid.value = :uid
    JOIN tags kind ON kind.run_uuid = r.run_uuid AND kind.key = 'automl.kind' AND kind.value = 'study'
    JOIN tags told ON told.run_uuid = r.run_uuid AND told.key = 'automl.told'
    WHERE r.lifecycle_stage = 'active'
"""


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment as MLflow holds it."""

    id: str
    tags: Mapping[str, str]


def is_there(place: Place) -> bool:
    """Say whether a mirror may be at ``place``; only a file can be seen to be absent."""
    return not place.uri.startswith(_SQLITE) or Path(place.uri.removeprefix(_SQLITE)).is_file()


def experiment_at(place: Place, name: str) -> Experiment | None:
    """Return the experiment ``name`` at ``place``; ``None`` when it cannot be read."""
    if place.is_server:
        return experiment_by_rest(place.display_uri, name)
    rows = _rows(place, _TAGS, name=name)
    return Experiment(str(rows[0][0]), {key: value or "" for _, key, value in rows if key}) if rows else None


def told_at(place: Place, experiment: str, uid: str) -> int:
    """Return how many told trials the run of the study ``uid`` shows; 0 when it cannot be read."""
    if not place.is_server:
        rows = _rows(place, _TOLD, uid=uid)
        return int(rows[0][0]) if rows else 0
    wanted = f"tags.`automl.study_uid` = '{uid}' and tags.`automl.kind` = 'study'"
    query = {"experiment_ids": [experiment], "filter": wanted, "max_results": 1}
    try:
        tags = _reply(f"{place.display_uri}/api/2.0/mlflow/runs/search", query)["runs"][0]["data"]["tags"]
        return next((int(tag["value"]) for tag in tags if tag["key"] == "automl.told"), 0)
    except (LookupError, TypeError, ValueError):
        return 0


def experiment_by_rest(address: str, name: str) -> Experiment | None:
    """Return the experiment ``name`` of the server at ``address``; ``None`` when it is not there or needs a login."""
    query = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name, safe='')}"
    try:
        found = _reply(query)["experiment"]
        return Experiment(str(found["experiment_id"]), {tag["key"]: tag["value"] for tag in found.get("tags", ())})
    except (LookupError, TypeError):
        return None


def _reply(address: str, body: Any = None) -> Any:
    """Return what the server answers; nothing when it does not."""
    sent = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data=sent, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS) as reply:
            return json.load(reply)
    except (OSError, http.client.HTTPException, ValueError):
        return None


def _rows(place: Place, query: str, **values: str) -> list[Any]:
    if not is_there(place):  # SQLite would make the file
        return []
    engine = create_engine(place.uri, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return list(connection.execute(text(query), values))
    except SQLAlchemyError:
        return []
    finally:
        engine.dispose()
