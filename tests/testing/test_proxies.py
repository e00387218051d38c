"""Every registered proxy and aggregator is one: a new entry is tested by being listed."""

from __future__ import annotations

from typing import Any

import pytest

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import AggregatorSuite, ProxySuite

OPTIONS: dict[str, dict[str, Any]] = {}
"""Options of proxies that make them quick."""


@pytest.mark.parametrize("name", registry().names("proxy"))
class TestEveryRegisteredProxy(ProxySuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self):
        component = registry().load("proxy", self.name)
        return component(parse_options(component, self.name, OPTIONS.get(self.name, {})))


@pytest.mark.parametrize("name", registry().names("aggregator"))
class TestEveryRegisteredAggregator(AggregatorSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self):
        return registry().load("aggregator", self.name)()
