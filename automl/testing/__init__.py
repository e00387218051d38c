"""Conformance suites: one class per kind of extension, and one subclass certifies yours.

    from automl.testing import SpaceSuite

    class TestMySpace(SpaceSuite):
        def make(self):
            return MySpace()

Suites are pytest classes; a method that a subclass may override says so. They ship with automl, but pytest does not: it
is a development dependency of the plugin that uses them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

try:
    import pytest
except ImportError:
    raise ImportError(
        "automl.testing needs pytest, which is not installed; add it to your development dependencies"
    ) from None

if TYPE_CHECKING:
    from automl.testing.evaluators import EvaluatorSuite
    from automl.testing.executors import ExecutorSuite
    from automl.testing.exporters import ExporterSuite
    from automl.testing.proxies import AggregatorSuite, ProxySuite
    from automl.testing.spaces import SpaceSuite
    from automl.testing.storages import StorageSuite
    from automl.testing.strategies import StrategySuite
    from automl.testing.tasks import TaskSuite
    from automl.testing.trackers import TrackerSuite

__all__ = [
    "AggregatorSuite",
    "EvaluatorSuite",
    "ExecutorSuite",
    "ExporterSuite",
    "ProxySuite",
    "SpaceSuite",
    "StorageSuite",
    "StrategySuite",
    "TaskSuite",
    "TrackerSuite",
]

_HOMES = {
    "AggregatorSuite": "proxies",
    "EvaluatorSuite": "evaluators",
    "ExecutorSuite": "executors",
    "ExporterSuite": "exporters",
    "ProxySuite": "proxies",
    "SpaceSuite": "spaces",
    "StorageSuite": "storages",
    "StrategySuite": "strategies",
    "TaskSuite": "tasks",
    "TrackerSuite": "trackers",
}

pytest.register_assert_rewrite(*(f"automl.testing.{home}" for home in {*_HOMES.values(), "randomness"}))


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'automl.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"automl.testing.{_HOMES[name]}"), name)
