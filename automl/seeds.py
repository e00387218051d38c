"""Where randomness comes from: every generator is derived from a seed, a purpose and numbers, and from nothing else."""

from __future__ import annotations

import hashlib

from numpy.random import PCG64, Generator


def derive_seed(seed: int, purpose: str, *indices: int | str) -> int:
    """Return a 63-bit seed; a change of any argument gives an unrelated one.

    >>> derive_seed(0, "ask", 1) == derive_seed(0, "ask", 1) != derive_seed(0, "ask", 2)
    True
    """
    text = "\x1f".join(str(part) for part in (seed, purpose, *indices))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def derive_rng(seed: int, purpose: str, *indices: int | str) -> Generator:
    """Return a fresh generator for one purpose, as ``("ask", 17)``; the same in every process and version."""
    return Generator(PCG64(derive_seed(seed, purpose, *indices)))
