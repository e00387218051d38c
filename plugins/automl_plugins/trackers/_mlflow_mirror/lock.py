"""One process at a time on a study's mirror."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from automl_plugins.trackers._mlflow_mirror.places import Place

_POLL_SECONDS = 0.2


@contextmanager
def only_one(uid: str, place: Place, seconds: float) -> Iterator[str | None]:
    """Hold the lock of a study's mirror at ``place`` on this host; yields who else holds it, ``None`` when it is ours.

    The system frees it when the process ends, however it ends.
    """
    target = hashlib.sha256(place.display_uri.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"automl-mlflow-{os.getuid()}-{uid}-{target}.lock"
    deadline = time.monotonic() + seconds
    with path.open("a+") as lock:
        while not (is_mine := _try_lock(lock)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        if is_mine:
            lock.truncate(0)
            lock.write(f"process {os.getpid()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})")
            lock.flush()
            yield None
        else:
            lock.seek(0)
            yield lock.read() or "another process"


def _try_lock(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
