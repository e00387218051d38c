"""Every registered search space is one: a new entry is tested by being listed."""

from __future__ import annotations

from typing import Any

import automl_fakes
import pytest

from automl.options import parse_options
from automl.plugins import registry
from automl.testing import SpaceSuite, problems

OPTIONS: dict[str, dict[str, Any]] = {}
OURS = (
    problems.FlatSpace,
    problems.CellSpace,
    problems.ConditionalSpace,
    problems.BehaviourSpace,
    automl_fakes.MlpSpace,
    automl_fakes.MixedSpace,
)


@pytest.mark.parametrize("name", registry().names("space"))
class TestEveryRegisteredSpace(SpaceSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    def make(self):
        component = registry().load("space", self.name)
        return component(parse_options(component, self.name, OPTIONS.get(self.name, {})))

    test_keys_are_equal_in_every_process = pytest.mark.slow(SpaceSuite.test_keys_are_equal_in_every_process)


@pytest.mark.parametrize("component", OURS, ids=lambda component: component.__name__)
class TestSmallSpaces(SpaceSuite):
    @pytest.fixture(autouse=True)
    def _named(self, component):
        self.component = component

    def make(self):
        return self.component()
