"""Who does the arithmetic: NumPy, or the loops of `compiled` where Numba is installed (the extra ``fast``).

Both give the same answers, so the choice is a matter of speed alone.
"""

from __future__ import annotations

import os
from functools import lru_cache
from types import ModuleType
from typing import Any, Literal

from automl.errors import ConfigurationError
from automl.graphs.edit_costs import EditCosts

Kernel = Literal["auto", "numpy", "compiled"]

VARIABLE = "AUTOML_KERNEL"
_CHOICES = ("auto", "numpy", "compiled")


def compiled_kernel(kernel: Kernel = "auto", costs: EditCosts | None = None) -> Any:
    """Return the module `automl.graphs.compiled`, or ``None`` where NumPy is to do the work.

    With ``auto`` the environment variable ``AUTOML_KERNEL`` decides if it is set, and otherwise whether Numba can be
    imported, which is tried once. Costs whose sums are not exact in floating point are never searched by compiled
    loops: another order of summation could break a tie differently.

    Raises:
        ConfigurationError: compiled loops are asked for and Numba cannot be imported.
    """
    if kernel == "numpy" or not (costs is None or _is_exact(costs)):
        return None
    return _automatic() if kernel == "auto" else _compiled()


@lru_cache(maxsize=16)
def _is_exact(costs: EditCosts) -> bool:
    return costs.is_exact


@lru_cache(maxsize=1)
def _automatic() -> ModuleType | None:
    asked = os.environ.get(VARIABLE, "auto")
    if asked not in _CHOICES:
        raise ConfigurationError(f"the environment variable {VARIABLE} must be one of {_CHOICES}, but is {asked!r}")
    if asked == "numpy":
        return None
    if asked == "compiled":
        return _compiled()
    try:
        return _load()
    except ImportError:
        return None


def _compiled() -> ModuleType:
    try:
        return _load()
    except ImportError as missing:
        raise ConfigurationError(
            f"compiled loops need Numba, and it cannot be imported ({missing}); install the extra `fast`"
        ) from missing


@lru_cache(maxsize=1)
def _load() -> ModuleType:
    from automl.graphs import compiled

    if not compiled.IS_COMPILED:
        raise ImportError("No module named 'numba'")
    return compiled
