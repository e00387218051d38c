"""Every registered executor is one: a new entry is tested by being listed."""

from __future__ import annotations

from automl.plugins import registry
from automl.testing import ExecutorSuite
from automl.testing.studies import Scrambled


def suite_of(name: str) -> type[ExecutorSuite]:
    class Suite(ExecutorSuite):
        @classmethod
        def make(cls):
            return registry().load("executor", name)()

    return Suite


for _name in registry().names("executor"):
    globals()[f"Test_{_name}"] = type(f"Test_{_name}", (suite_of(_name),), {})


class TestScrambled(ExecutorSuite):
    @classmethod
    def make(cls):
        return Scrambled()


def test_every_executor_is_here():
    assert {f"Test_{name}" for name in registry().names("executor")} <= set(globals())
