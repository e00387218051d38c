"""Reading pickles of plain data only.

A pickle is a program: what it names is imported and called. The official files of NATS-Bench are pickles, so here
nothing can be named but containers, ordered dictionaries, and numbers and arrays of NumPy; anything else is refused.
"""

from __future__ import annotations

import bz2
import importlib
from pathlib import Path
from pickle import Unpickler, UnpicklingError
from typing import Any

from automl import DataError, isolated

_ALLOWED = {
    "builtins": {"bytearray", "complex", "dict", "float", "frozenset", "int", "list", "set", "tuple"},
    "collections": {"OrderedDict", "defaultdict"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
}
_MOVED = {"numpy.core.multiarray": "numpy._core.multiarray"}


class _PlainUnpickler(Unpickler):
    """Finds nothing but what is allowed."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class or function; raises `UnpicklingError` for any other."""
        if name not in _ALLOWED.get(module, ()):
            raise UnpicklingError(f"it names {module}.{name}, which is no plain data")
        return getattr(importlib.import_module(_MOVED.get(module, module)), name)


def read_plain_pickle(path: Path) -> Any:
    """Return what a bz2-compressed pickle holds; raises `DataError` when it is damaged, or more than plain data."""
    with bz2.open(path, "rb") as stream:
        held = isolated(lambda: _PlainUnpickler(stream).load())
    if isinstance(held, UnpicklingError):
        raise DataError(f"{path}: refused ({held}); take the file from the official source") from held
    if isinstance(held, Exception):
        raise DataError(f"{path}: not a whole .pickle.pbz2 file ({held}); download it again") from held
    return held
