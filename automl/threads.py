"""The threads that torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def threads_fixed(count: int) -> Iterator[None]:
    """Have torch compute with ``count`` CPU threads, and afterwards with as many as before.

    The last bits of a result depend on them, since sums are split between threads; so does the time that it takes.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
