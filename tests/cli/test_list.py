import subprocess
import sys

import pytest

from automl.plugins import KINDS, BrokenPlugin, registry


def test_list_names_every_component_with_its_distribution(automl):
    shown = automl("list").out
    assert all(registration.name in shown for registration in registry().components.values())
    assert "automl-engine" in shown


@pytest.mark.parametrize("kind", KINDS)
def test_list_of_one_kind_shows_only_that(kind, automl):
    lines = automl("list", kind).out.splitlines()
    assert sorted(line.split()[0] for line in lines[3:] if line.strip()) == registry().names(kind)


def test_kinds_may_be_written_in_the_plural(automl):
    assert automl("list", "strategies").out == automl("list", "strategy").out
    ran = automl("list", "stratgy")
    assert (ran.code, "did you mean 'strategy'?" in ran.err) == (2, True)


def test_broken_plugins_are_shown_with_their_error(automl, monkeypatch):
    broken = BrokenPlugin("theirs", "their-plugin", "0.3", "ImportError: no [module] named x")
    monkeypatch.setattr(registry(), "broken", [broken])
    shown = automl("list")
    assert shown.code == 0
    assert "their-plugin 0.3" in shown.out
    assert "ImportError: no [module] named x" in shown.out


def test_list_imports_no_torch_optuna_or_mlflow(process_environment):
    script = "import sys\nfrom automl.cli import main\nmain(['list'])\nprint('MODULES', *sys.modules)"
    command = [sys.executable, "-c", script]
    ended = subprocess.run(command, env=process_environment, capture_output=True, text=True, check=True)
    modules = set(ended.stdout.partition("MODULES")[2].split())
    assert modules.isdisjoint({"torch", "optuna", "mlflow", "sqlalchemy", "numpy"})
