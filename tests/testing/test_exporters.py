"""Every registered exporter is one: a new entry is tested by being listed."""

from __future__ import annotations

import pytest

from automl.plugins import registry
from automl.testing import ExporterSuite


@pytest.mark.parametrize("name", registry().names("exporter"))
class TestEveryRegisteredExporter(ExporterSuite):
    @pytest.fixture(autouse=True)
    def _named(self, name):
        self.name = name

    # Each imports torch anew; `tests/cli/test_export.py` verifies one of them in the fast suite.
    test_files_give_the_outputs_of_the_network = pytest.mark.slow(
        ExporterSuite.test_files_give_the_outputs_of_the_network
    )

    def make(self):
        return registry().load("exporter", self.name)()
