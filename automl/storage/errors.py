"""Database errors in the user's words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from automl.errors import StoreError

_ADVICE = (
    ("disk is full", "the disk is full; free some space, then continue with `automl resume`"),
    ("disk i/o error", "the disk reports an input/output error; check it, then continue with `automl resume`"),
    ("readonly database", "the file or its folder is read-only; choose another place with --storage"),
    ("unable to open database file", "cannot be opened; does the folder exist, and may you write there?"),
    ("not a database", "is not a SQLite database; move it away or choose another place with --storage"),
    ("malformed", "is damaged; restore a backup (automl.db.backup-*) or move it away"),
    ("locked", "is locked by another program; wait for it, or choose another place with --storage"),
)


_SECRETS = (
    (re.compile(r"//([^:/]*):.*@", re.DOTALL), r"//\1:***@"),
    (re.compile(r"//([^:/]*)%3A.*%40", re.DOTALL), r"//\1:***@"),  # A URL mistaken for the path of a file.
    (re.compile(r"([?&](?:ssl)?(?:password|passwd|pwd)=)[^&#]*", re.IGNORECASE), r"\1***"),
)


@contextmanager
def in_plain_words(url: str) -> Iterator[None]:
    """Turn SQLAlchemy's errors about the store at ``url`` into a one-line `StoreError`."""
    try:
        yield
    except (DBAPIError, sqlite3.Error) as error:
        found = str(getattr(error, "orig", None) or error)
        advice = next((advice for text, advice in _ADVICE if text in found.lower()), None)
        raise StoreError(f"store {safe(url)}: {advice or found.splitlines()[0]}") from error
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(
            f"store {safe(url)!r} is no database URL; write it as sqlite:///automl.db or postgresql+psycopg://host/name"
        ) from error
    except ModuleNotFoundError as error:
        raise StoreError(
            f"store {safe(url)} needs the Python package {error.name!r}; for PostgreSQL: pip install "
            "'automl-engine[postgres]', with a URL that begins with postgresql+psycopg://"
        ) from error
    except OSError as error:
        raise StoreError(f"store {safe(url)}: {error.strerror}; choose another place with --storage") from error
    except SQLAlchemyError as error:
        raise StoreError(f"store {safe(url)}: {str(error).splitlines()[0]}") from error


def safe(url: str) -> str:
    """Return ``url`` without its password, also where it cannot be parsed or the password holds an ``@``."""
    try:
        shown = make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        shown = url
    for secret, mask in _SECRETS:
        shown = secret.sub(mask, shown)
    return shown
