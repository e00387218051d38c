"""What every test may use."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FAKES = Path(__file__).resolve().parent / "fakes"

# Tests use no network: MLflow would otherwise report its use.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

# One thread per process: tests are small, and several of them run at a time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# `automl_fakes:Name` works here and in every process that a test starts; so do the packages of a checkout, unless the
# environment says where they are (the tests of a built wheel do).
_ROOTS = [FAKES, *(folder for folder in (ROOT, ROOT / "plugins", ROOT / "search_spaces") if (ROOT / "automl").is_dir())]
sys.path[:0] = [str(FAKES)] if str(FAKES) not in sys.path else []
_KNOWN = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
os.environ["PYTHONPATH"] = os.pathsep.join([*_KNOWN, *(str(folder) for folder in _ROOTS if str(folder) not in _KNOWN)])


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Keep torch to one thread, once a test has imported it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture(scope="session")
def automl_data() -> Callable[[str], Path]:
    """Return a function that gives the path of a file of real data, or skips the test and says why."""

    def find(name: str) -> Path:
        folder = os.environ.get("AUTOML_DATA_DIR")
        if not folder:
            pytest.skip(f"needs {name}: AUTOML_DATA_DIR is not set")
        path = Path(folder) / name
        if not path.exists():
            pytest.skip(f"needs {name}: it is not in AUTOML_DATA_DIR ({folder})")
        return path

    return find
