import json
import sys
from pathlib import Path

import pytest

from automl.plugin_files import VARIABLE
from automl.plugins import BrokenPlugin, registry

MINE = """
from automl import {names}, component

@component("mine", summary="My own.")
class Mine({names}):
    "My own."
"""


@pytest.fixture(autouse=True)
def _forget(monkeypatch):
    """Load plugins afresh, and forget those of a test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv(VARIABLE, "")
    registry.cache_clear()
    yield
    sys.modules.pop("mine", None)
    registry.cache_clear()


@pytest.fixture
def broken(monkeypatch):
    found = BrokenPlugin("theirs", "their-plugin", "0.3", "ModuleNotFoundError: No module named 'x'")
    monkeypatch.setattr(registry(), "broken", [found])


def test_new_writes_a_repository_and_says_what_is_next(automl):
    ran = automl("plugin", "new", "hill-climber", "--kind", "strategy")
    assert ran.code == 0
    assert Path("automl-hill-climber/src/automl_hill_climber/hill_climber.py").is_file()
    assert "pip install -e automl-hill-climber" in ran.out
    again = automl("plugin", "new", "hill-climber", "--kind", "strategy")
    assert (again.code, "not empty" in again.err) == (2, True)
    assert automl("plugin", "new", "other", "--kind", "task", "-o", "there").code == 0
    assert Path("there/pyproject.toml").is_file()


def test_new_refuses_what_cannot_be(automl):
    for words in (("Bad", "--kind", "space"), ("x", "--kind", "spce"), ("tpe", "--kind", "strategy"), ("x",)):
        ran = automl("plugin", "new", *words)
        assert ran.code == 2
        assert "Traceback" not in ran.err


def test_list_and_show_say_where_plugins_come_from(automl, broken):
    shown = automl("plugin", "list").out
    for words in ("automl_plugins.plugin", "automl-engine", "their-plugin 0.3", "ModuleNotFoundError", "strategies"):
        assert words in shown
    one = automl("plugin", "show", "automl_spaces.plugin").out
    assert "for plugin API 1" in one
    assert "automl_spaces" in one
    assert "nas_cell" in one
    assert "No module named 'x'" in automl("plugin", "show", "their-plugin").out


def test_list_and_show_are_json_for_programs(automl, broken):
    found = json.loads(automl("plugin", "list", "--json").out)
    assert found["api_version"] == 1
    assert found["broken"][0]["plugin"] == "theirs"
    assert {one["plugin"] for one in found["plugins"]} >= {"automl_plugins.plugin", "automl_spaces.plugin"}
    assert json.loads(automl("plugin", "show", "theirs", "--json").out)["plugins"] == []


def test_an_unknown_plugin_is_answered_with_those_that_there_are(automl):
    for command in ("show", "check"):
        ran = automl("plugin", command, "automl_plugin.plugin")
        assert ran.code == 2
        assert "did you mean 'automl_plugins.plugin'?" in ran.err
    assert "is it the component 'random_search'?" in automl("plugin", "check", "randomsearch").err


def test_check_of_nothing_says_that_there_is_nothing(automl, monkeypatch):
    monkeypatch.setenv("AUTOML_LOAD_PLUGINS", "")
    ran = automl("plugin", "check")
    assert (ran.code, "no plugin but the bundled ones" in ran.out) == (0, True)


def test_check_explains_a_broken_plugin(automl, broken):
    ran = automl("plugin", "check", "theirs")
    assert ran.code == 4
    for words in ("plugin theirs: it was left out", "it cannot be imported", "No module named 'x'", "mend"):
        assert words in ran.out


def test_check_explains_a_mistake_of_a_file(automl):
    Path("mine.py").write_text(MINE.format(names="Strategy"))
    ran = automl("plugin", "check", "./mine.py")
    assert ran.code == 4
    for words in ("strategy mine: 1 mistake", "a method is missing", "ask, tell", "docstrings of automl.Strategy"):
        assert words in ran.out
    assert "checking strategy mine" in ran.err


def test_check_is_json_for_programs(automl):
    Path("mine.py").write_text(MINE.format(names="Strategy"))
    ran = automl("plugin", "check", "mine.py", "--json")
    [one] = json.loads(ran.out)["components"]
    assert (ran.code, one["kind"], one["name"], one["mistakes"][0]["found"]) == (4, "strategy", "mine", "ask, tell")


def test_check_of_a_kind_without_a_suite_reads_it(automl):
    Path("mine.py").write_text(MINE.format(names="DataSource"))
    ran = automl("plugin", "check", "mine.py")
    assert (ran.code, "data mine: sound (there is no suite to run)" in ran.out) == (0, True)


@pytest.mark.parametrize("words", ["nonsense", "size=3", "other.size=3"])
def test_a_setting_that_fits_nothing_is_refused(words, automl):
    Path("mine.py").write_text(MINE.format(names="DataSource"))
    ran = automl("plugin", "check", "mine.py", "--set", words)
    assert ran.code == 2
    assert ran.err.startswith(f"error: --set {words}: ")


def test_a_plugin_file_may_be_given_to_every_command_on_components(automl):
    Path("mine.py").write_text(MINE.format(names="DataSource"))
    assert "My own." in automl("list", "data", "--plugin", "mine.py").out
    registry.cache_clear()
    assert "My own." in automl("--plugin", "mine.py", "list", "data").out
    for command in ("search", "run", "resume", "compare", "correlate", "show", "best", "describe", "list"):
        assert "--plugin" in automl(command, "--help").out
    assert "--plugin" not in automl("ui", "--help").out
