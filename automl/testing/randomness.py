"""Watching the global random state, which no component may touch."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


@contextmanager
def untouched_randomness() -> Iterator[None]:
    """Assert that the block leaves the global generators of Python, NumPy and torch as they were.

    They are moved on first: a block that seeds them would else go unseen where they are at that very seed.

    >>> with untouched_randomness():
    ...     _ = np.random.default_rng(0).random()
    """
    disturb()
    before = _states()
    yield
    after = _states()
    for name, state in before.items():
        assert after[name] == state, f"global random state of {name} was used; draw from the generator you are given"


def disturb() -> None:
    """Move the global generators on, as other code in the process might."""
    random.random()
    np.random.random()  # noqa: NPY002 - the point is the global generator
    if (torch := sys.modules.get("torch")) is not None:
        torch.rand(1)


def _states() -> dict[str, Any]:
    state = np.random.get_state(legacy=False)  # noqa: NPY002 - the point is the global generator
    states: dict[str, Any] = {"random": random.getstate(), "numpy.random": repr(state)}
    if (torch := sys.modules.get("torch")) is not None:
        states["torch"] = torch.random.get_rng_state().numpy().tobytes()
    return states
