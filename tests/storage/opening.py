"""Programs that open one store, for `test_database.py`: forked, so that they start at once and nothing is imported.

Usage: ``python opening.py together|killed URL...``
"""

import importlib
import os
import random
import signal
import sys
import time

from automl.errors import StoreError
from automl.storage.store import Store

for module in ("alembic.command", "sqlalchemy.dialects.sqlite"):
    importlib.import_module(module)


def fork(url: str, gate: int | None = None) -> int:
    """Start a program that opens the store, once there is something to read from ``gate``; return its id."""
    if child := os.fork():
        return child
    if gate is not None:
        os.read(gate, 1)
    try:
        Store(url).studies()
    except StoreError as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)


def open_together(url: str, programs: int = 4) -> list[int]:
    """Open the store by several programs at once and return their exit codes."""
    gate, start = os.pipe()
    children = [fork(url, gate) for _ in range(programs)]
    os.write(start, b"." * programs)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def kill_while_opening(url: str, delay: float) -> int:
    """Kill a program ``delay`` seconds after it began to open the store, and return its exit code."""
    child = fork(url)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(mode: str, urls: list[str]) -> None:
    rng = random.Random(0)
    for url in urls:
        print(open_together(url) if mode == "together" else kill_while_opening(url, rng.uniform(0.0, 0.08)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
