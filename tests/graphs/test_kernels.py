from __future__ import annotations

import subprocess
import sys

import pytest

from automl.errors import ConfigurationError
from automl.graphs import kernels
from automl.graphs.edit_costs import EditCosts


@pytest.fixture(autouse=True)
def no_memory():
    yield
    kernels._automatic.cache_clear()


def choose(monkeypatch, value):
    monkeypatch.setenv(kernels.VARIABLE, value)
    kernels._automatic.cache_clear()
    return kernels.compiled_kernel()


def no_numba():
    raise ImportError("No module named 'numba'")


def test_numpy_can_be_asked_for(monkeypatch):
    assert choose(monkeypatch, "numpy") is None
    assert kernels.compiled_kernel("numpy") is None


def test_an_unknown_choice_is_refused(monkeypatch):
    with pytest.raises(ConfigurationError, match=r"AUTOML_KERNEL must be one of .*'gpu'"):
        choose(monkeypatch, "gpu")


def test_without_numba_numpy_does_the_work(monkeypatch):
    monkeypatch.setattr(kernels, "_load", no_numba)
    assert choose(monkeypatch, "auto") is None
    with pytest.raises(ConfigurationError, match="install the extra `fast`"):
        choose(monkeypatch, "compiled")


def test_with_numba_the_compiled_loops_are_chosen(monkeypatch):
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    assert choose(monkeypatch, "auto").__name__ == "automl.graphs.compiled"
    assert kernels.compiled_kernel("auto", EditCosts(node_insert=0.1)) is None


def test_numba_is_not_imported_before_it_is_needed():
    code = "import sys, automl.graphs.edit_path, automl.cli; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_folder_that_cannot_be_written_only_costs_the_cache(tmp_path):
    """Numba finds no place for its cache: the loops are compiled, and used, all the same."""
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    code = """
import numba.core.caching as caching
caching.CacheImpl._locator_classes = []
import automl.graphs.compiled as compiled, numpy as np
best = compiled.best_matchings(np.zeros((1, 2), dtype=np.intp), np.zeros(1, dtype=np.intp), [0], np.ones(1))
print(best[0], best[1].tolist())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "1.0 [0, 1]"
