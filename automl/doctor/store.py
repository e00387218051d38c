"""The store: whether it can be read and written, its version, and who works on what."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy.engine import make_url

from automl.doctor.finding import Finding
from automl.errors import AutomlError
from automl.storage.database import HEAD, found_version, is_locked, store_url
from automl.storage.errors import safe
from automl.storage.store import Store
from automl.study import Study, StudyState

_LEFT = (StudyState.INTERRUPTED, StudyState.FAILED)


def folder_of(storage: str) -> Path:
    """Return the folder in which a store's file lies; the working folder where it is no file."""
    url = make_url(store_url(storage))
    is_file = url.get_backend_name() == "sqlite" and url.database not in (None, "", ":memory:")
    return Path(str(url.database)).resolve().parent if is_file else Path.cwd()


def store(storage: str) -> tuple[list[Finding], Store | None]:
    """Return the findings, and the store if it can be used as it is. Nothing is created, upgraded or changed."""
    shown = safe(store_url(storage))
    try:
        version = found_version(storage)
        if version is None:
            if not folder_of(storage).is_dir():
                what = f"there is none at {shown}, and no folder {folder_of(storage)}"
                return [Finding("store", "fail", what, "make the folder, or name another place with --storage")], None
            text = f"there is none at {shown} yet; the first `automl search` makes it"
            return [Finding("store", "ok", text)], None
        if version != HEAD:
            what = f"{shown} has version {version}, and this program {HEAD}"
            advice = "nothing to do: it is upgraded when it is next used, after a backup beside it"
            return [Finding("store", "warn", what, advice)], None
        if is_locked(storage):
            advice = "wait for the program that is writing, or end it; other searches wait up to 30 s"
            return [Finding("store", "warn", f"{shown} is locked by another program", advice)], None
        opened = Store(storage, create=False)
        studies = opened.studies()
    except AutomlError as error:
        what, _, advice = str(error).removeprefix("store ").partition("; ")
        advice = advice or "see that the address is right and the server runs, or choose another with --storage"
        return [Finding("store", "fail", what, advice)], None
    text = (
        f"{shown}, version {version}, can be read and written, {len(studies)} stud{'y' if len(studies) == 1 else 'ies'}"
    )
    return [Finding("store", "ok", text), *_studies(opened)], opened


def _studies(opened: Store) -> list[Finding]:
    """Return which studies are being worked on, and which were left."""
    found, left = [], []
    for record in opened.studies():
        owner = opened.owner(record.id)
        if owner is not None:
            found.append(Finding("store", "ok", f"study {record.name}: {owner.partition(';')[0]}"))
        elif Study(opened, record.name).state in _LEFT and record.comparison_id is None:
            left.append(record.name)
    if left:
        names = ", ".join(left[-3:]) + (f" and {len(left) - 3} more" if len(left) > 3 else "")
        advice = f"go on with: automl resume {left[-1]}"
        found.append(Finding("store", "ok", f"interrupted or failed: {names}", advice))
    return found
