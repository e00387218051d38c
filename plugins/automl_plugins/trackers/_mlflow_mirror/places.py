"""Where the mirror of a store lies: the tracking URI, and the folder for artifacts. Knows nothing of MLflow itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from automl import ConfigurationError

DATABASE = "mlflow.db"
ARTIFACTS = "mlflow-artifacts"


@dataclass(frozen=True, slots=True)
class Place:
    """A place to mirror to; ``artifacts`` is a local folder, or ``None`` where the server decides."""

    uri: str
    artifacts: str | None

    @property
    def is_server(self) -> bool:
        """Whether MLflow itself runs there already."""
        return self.uri.startswith(("http://", "https://"))

    @property
    def display_uri(self) -> str:
        """The URI without its password, and that of a server without its user."""
        if "@" not in self.uri:
            return self.uri
        if not self.is_server:
            return make_url(self.uri).render_as_string()
        parts = urlsplit(self.uri)
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def place_of(storage: str, tracking_uri: str | None = None) -> Place:
    """Return where the studies of ``storage`` are mirrored.

    ``tracking_uri`` decides, then the environment variable ``MLFLOW_TRACKING_URI``; without both it is a SQLite file
    ``mlflow.db`` beside the store's own, or in the working folder when the store is no file.

    Raises:
        ConfigurationError: the URI is of a kind that MLflow does not write to.
    """
    folder = _folder_of(storage)
    uri = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder / DATABASE}"
    scheme, colon, rest = uri.partition("://")
    if scheme in ("http", "https"):
        return Place(uri.rstrip("/"), None)
    if scheme.startswith("databricks"):
        return Place(uri, None)
    if not colon or scheme == "file":
        raise ConfigurationError(
            f"MLflow tracking URI {uri!r} names a folder, which MLflow no longer writes to; "
            f"use a database (sqlite:///{Path(rest or uri).resolve() / DATABASE}) or a server (http://host:5000)"
        )
    return _database(uri, folder)


def holds_credentials(uri: str) -> bool:
    """Say whether a tracking URI holds a password, or for a server a user or token.

    >>> holds_credentials("http://me:secret@host:5000"), holds_credentials("postgresql://me@host/mlflow")
    (True, False)
    """
    parts = urlsplit(uri)
    return parts.password is not None or (parts.scheme in ("http", "https") and parts.username is not None)


def _database(uri: str, folder: Path) -> Place:
    try:
        url = make_url(uri)
    except ArgumentError:
        raise ConfigurationError(
            f"cannot read the MLflow tracking URI {uri!r}; write it as sqlite:///mlflow.db or http://host:5000"
        ) from None
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database).resolve()
        return Place(f"sqlite:///{path}", str(path.parent / ARTIFACTS))
    return Place(uri, str(folder / ARTIFACTS))


def _folder_of(storage: str) -> Path:
    path = storage
    if "://" in storage:
        url = make_url(storage)
        path = str(url.database or "") if url.get_backend_name() == "sqlite" else ""
    in_file = path not in ("", ":memory:")
    return Path(path).resolve().parent if in_file else Path.cwd()
