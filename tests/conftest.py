"""What every test may use."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

# Tests use no network: MLflow would otherwise report its use.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")


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
