"""What `automl plugin new` writes installs, passes its own tests, is found at once and passes the check."""

import ast
import os
import subprocess
import sys
import tomllib

import pytest

from automl.errors import UsageError
from automl.plugins import KINDS
from automl.scaffold import NewPlugin, kind_of_template, new_plugin, write_plugin
from automl.version import __version__

TEMPLATES = ("space", "strategy", "evaluator", "proxy", "aggregator", "task", "executor", "tracker", "exporter")
QUICK = "aggregator"


def in_site(site, *command, cwd):
    path = os.pathsep.join([str(site), *filter(None, sys.path)])
    known = {key: value for key, value in os.environ.items() if not key.startswith("AUTOML_")}
    variables = {**known, "PYTHONPATH": path, "COLUMNS": "300"}
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=variables, cwd=cwd)


def whole_way(kind, tmp_path):
    """Write it, install it, run its tests, list it, check it."""
    pytest.importorskip("hatchling")
    plugin = new_plugin(kind, f"brand-new-{kind}")
    repository, site = tmp_path / "repository", tmp_path / "site"
    write_plugin(plugin, repository)
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(site))
    installed = in_site(site, "-m", "pip", "install", "-q", *offline, str(repository), cwd=tmp_path)
    if "No module named pip" in installed.stderr:
        pytest.skip("pip is not installed")
    assert installed.returncode == 0, installed.stderr
    tested = in_site(site, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=repository)
    assert tested.returncode == 0, tested.stdout
    listed = in_site(site, "-m", "automl", "list", kind, cwd=tmp_path)
    assert f"{plugin.distribution} 0.1.0" in listed.stdout
    checked = in_site(site, "-m", "automl", "plugin", "check", plugin.distribution, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{kind} {plugin.name}: sound" in checked.stdout


def test_a_new_plugin_goes_the_whole_way(tmp_path):
    whole_way(QUICK, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in TEMPLATES if kind != QUICK])
def test_every_kind_goes_the_whole_way(kind, tmp_path):
    whole_way(kind, tmp_path)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_files_are_whole(kind):
    plugin = new_plugin(kind, "brand-new")
    files = plugin.files()
    assert {"pyproject.toml", "README.md", "LICENSE.md", ".gitignore", ".github/workflows/tests.yml"} < set(files)
    for path, text in files.items():
        assert "$" not in text, path
        assert max(map(len, text.splitlines())) <= 120, path
        if path.endswith(".py"):
            assert ast.get_docstring(ast.parse(text)), path
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"]["automl"] == {"brand_new": "automl_brand_new.plugin"}
    assert project["dependencies"] == [f"automl-engine>={__version__}"]
    assert f"def {KINDS[kind][0]}(" in files["src/automl_brand_new/plugin.py"]


@pytest.mark.parametrize("kind", TEMPLATES)
def test_the_code_keeps_its_format(kind, tmp_path):
    pytest.importorskip("ruff")
    write_plugin(new_plugin(kind, "brand-new"), tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length", "120", str(tmp_path)],
        text=True,
    )
    assert done.returncode == 0


def test_names_of_all_kinds_follow_from_one():
    found = NewPlugin("strategy", "automl-hill-climber")
    assert (found.name, found.package, found.distribution, found.class_name) == (
        "hill_climber",
        "automl_hill_climber",
        "automl-hill-climber",
        "HillClimber",
    )


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("strategy", "random-search", "there is a strategy 'random_search' already, of automl-engine"),
        ("space", "Mine", "is no name of a plugin"),
        ("space", "1st", "is no name of a plugin"),
        ("space", "class", "means something to Python"),
        ("space", "plugin", "means something to Python"),
        ("data", "mine", "there is no template of this kind, but of space, strategy"),
    ],
)
def test_a_name_or_kind_that_cannot_be_is_refused(kind, name, said):
    with pytest.raises(UsageError, match=said):
        new_plugin(kind, name)


def test_an_unknown_kind_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'strategy'"):
        kind_of_template("strateg")


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty; name another with -o FOLDER"):
        write_plugin(new_plugin("space", "brand-new"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
