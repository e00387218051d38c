"""Every registered tracker is one: a new entry is tested by being listed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from automl import Tracker
from automl.options import parse_options
from automl.plugins import registry
from automl.testing import TrackerSuite

OPTIONS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "mlflow": lambda folder: {"tracking_uri": f"sqlite:///{folder / 'mlflow.db'}"},
}


@pytest.mark.parametrize("name", registry().names("tracker"))
class TestEveryRegisteredTracker(TrackerSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        self.name = name
        self.values = OPTIONS[name](tmp_path) if name in OPTIONS else {}

    def make(self):
        component = registry().load("tracker", self.name)
        return component(parse_options(component, self.name, self.values))


class TestTheTrackerThatDoesNothing(TrackerSuite):
    def make(self):
        return Tracker()
