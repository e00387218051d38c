"""Third-party plugins, as real distributions in a folder on the path, loaded by a real process."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from automl.errors import ConfigurationError, PluginError
from automl.hooks import Hooks
from automl.plugins import BUNDLED, KINDS, Registry, isolated, load_plugins, load_target, registry

GOOD = """
    from automl import hookimpl

    @hookimpl
    def register_strategies(register):
        "Register."
        register("{name}", "{module}_parts:Mine", summary="Mine.")
"""
PARTS = """
    from automl import Proposal, Strategy

    class Mine(Strategy):
        def ask(self, rng, pending):
            return Proposal(self.problem.space.sample(rng))

        def tell(self, trial):
            pass

    class NoStrategy:
        pass
"""
BROKEN = {
    "import_error": ("import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that_is_not"),
    "syntax_error": ("def oops(:", "SyntaxError"),
    "half": (
        """
        from automl import hookimpl

        @hookimpl
        def register_strategies(register):
            register("half_of_it", "half:Mine", summary="")
            raise RuntimeError("only half way")
        """,
        "RuntimeError: only half way",
    ),
    "clash": (
        GOOD.format(name="random_search", module="clash"),
        "is already registered by automl-engine",
    ),
    "twice": (
        GOOD.format(name="twice", module="twice") + '        register("twice", "twice:Other", summary="")\n',
        "'twice' is already registered by broken-twice",
    ),
    "bad_target": (
        GOOD.replace("{module}_parts:Mine", "no target").format(name="bad_target"),
        "'package.module:Class'",
    ),
    "bad_name": (GOOD.format(name="Bad-Name", module="bad_name"), "must be lower-case letters"),
    "other_api": ("AUTOML_API_VERSION = 99\n" + textwrap.dedent(GOOD.format(name="x", module="y")), "plugin API 99"),
    "unknown_hook": (
        """
        from automl import hookimpl

        @hookimpl
        def register_strategys(register):
            pass
        """,
        "register_strategys",
    ),
    "nothing": ("", "registers nothing"),
    "unmarked": ("def register_strategies(register):\n    register('x', 'y:Z', summary='')", "registers nothing"),
}
ASK = """
import json, os
from automl.plugins import load_plugins
found = load_plugins()
print(json.dumps({
    "components": {f"{kind} {name}": [one.distribution, one.version, one.plugin, one.target]
                   for (kind, name), one in found.components.items()},
    "broken": {one.plugin: [one.distribution, one.version, one.error] for one in found.broken},
}))
"""


class Site:
    """A folder like ``site-packages``, and processes that have it on their path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def install(self, name: str, source: str, *, version: str = "1.2.3", parts: str = PARTS) -> None:
        (self.folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
        (self.folder / f"{name}_parts.py").write_text(textwrap.dedent(parts), encoding="utf-8")
        metadata = self.folder / f"broken_{name}-{version}.dist-info"
        metadata.mkdir()
        distribution = f"broken-{name}".replace("_", "-")
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[automl]\n{name} = {name}\n")

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(self.folder), os.environ.get("PYTHONPATH", "")])
        known = {key: value for key, value in os.environ.items() if not key.startswith("AUTOML_")}
        variables = {**known, "PYTHONPATH": path, "COLUMNS": "300", **environment}
        return subprocess.run([sys.executable, *command], capture_output=True, text=True, env=variables)

    def ask(self, **environment: str):
        done = self.run("-c", ASK, **environment)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_an_installed_distribution_is_found_by_its_entry_point(site):
    site.install("mine", GOOD.format(name="mine", module="mine"))
    found = site.ask()
    assert found["components"]["strategy mine"] == ["broken-mine", "1.2.3", "mine", "mine_parts:Mine"]
    assert found["broken"] == {}


def test_a_strangers_strategy_runs_a_study_under_its_name(site, tmp_path):
    site.install("mine", GOOD.format(name="mine", module="mine"))
    code = f"""
import automl
home = "automl.testing.problems:"
study = automl.search(space=home + "FlatSpace", strategy="mine", task=home + "TinyTask", trials=3,
                      evaluators=[home + "Landscape"], storage={str(tmp_path / "s.db")!r})
print(len(study.trials), study.record.components["strategy mine"])
"""
    done = site.run("-c", code)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("3 ")
    assert "broken-mine" in done.stdout
    assert "1.2.3" in done.stdout


@pytest.fixture(scope="module")
def wreckage(tmp_path_factory):
    """All broken plugins at once, between two good ones."""
    site = Site(tmp_path_factory.mktemp("site"))
    for name, (source, _) in BROKEN.items():
        site.install(name, source)
    site.install("aaa_good", GOOD.format(name="first", module="aaa_good"))
    site.install("zzz_good", GOOD.format(name="last", module="zzz_good"))
    return site


@pytest.fixture(scope="module")
def survived(wreckage):
    return wreckage.ask()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_named_with_distribution_version_and_error(survived, name):
    distribution, version, error = survived["broken"][name]
    assert (distribution, version) == (f"broken-{name}".replace("_", "-"), "1.2.3")
    assert BROKEN[name][1] in error
    assert "\n" not in error


def test_broken_plugins_leave_nothing_behind_and_the_rest_works(survived):
    assert set(survived["broken"]) == set(BROKEN)
    own = {name for name, found in survived["components"].items() if found[0] != "automl-engine"}
    assert own == {"strategy first", "strategy last"}
    assert survived["components"]["strategy random_search"][0] == "automl-engine"
    bundled = {f"{kind} {name}" for kind, name in load_plugins(environment={"AUTOML_LOAD_PLUGINS": ""}).components}
    assert bundled <= set(survived["components"])


def test_the_list_of_components_shows_the_broken_ones(wreckage):
    done = wreckage.run("-m", "automl", "list")
    assert done.returncode == 0, done.stderr
    for words in ("broken-half 1.2.3", "RuntimeError: only half way", "first", "broken-zzz-good"):
        assert words in done.stdout


def test_plugins_can_be_narrowed_by_name_and_emptied(wreckage):
    found = wreckage.ask(AUTOML_LOAD_PLUGINS="half, zzz_good")
    assert set(found["broken"]) == {"half"}
    assert "strategy last" in found["components"]
    assert "strategy first" not in found["components"]
    nothing = wreckage.ask(AUTOML_LOAD_PLUGINS="")
    assert nothing["broken"] == {}
    assert {found[0] for found in nothing["components"].values()} == {"automl-engine"}


def test_strict_plugins_raise_the_first_error(wreckage):
    done = wreckage.run("-c", ASK, AUTOML_STRICT_PLUGINS="1", AUTOML_LOAD_PLUGINS="half")
    assert done.returncode == 1
    assert "RuntimeError: only half way" in done.stderr
    fine = wreckage.ask(AUTOML_STRICT_PLUGINS="1", AUTOML_LOAD_PLUGINS="aaa_good")
    assert "strategy first" in fine["components"]


def test_a_target_that_is_no_strategy_is_refused_when_it_is_loaded(site):
    site.install("liar", GOOD.replace("_parts:Mine", "_parts:NoStrategy").format(name="liar", module="liar"))
    site.install("lost", GOOD.replace("_parts:Mine", "_gone:Mine").format(name="lost", module="lost"))
    code = """
from automl.errors import PluginError
from automl.plugins import registry
for name in ("liar", "lost"):
    try:
        registry().load("strategy", name)
    except PluginError as error:
        print(error)
"""
    done = site.run("-c", code)
    assert done.returncode == 0, done.stderr
    liar, lost = done.stdout.splitlines()
    assert liar == "strategy 'liar': liar_parts:NoStrategy is not a subclass of automl.Strategy"
    assert lost.startswith("strategy 'lost' of broken-lost cannot be imported from lost_gone:Mine: ModuleNotFoundError")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"unknown search space 'nas_cel'; did you mean 'nas_cell'\?"):
        registry().find("space", "nas_cel")


def test_a_component_can_be_named_by_its_import_path():
    found = registry().find("strategy", "automl_fakes:Anything")
    assert (found.target, found.plugin, found.distribution) == ("automl_fakes:Anything", "direct", "automl_fakes")
    with pytest.raises(PluginError, match="AttributeError"):
        registry().load("strategy", "automl_fakes:Anything")
    with pytest.raises(PluginError, match="not a subclass"):
        registry().load("strategy", "automl_fakes:MlpSpace")


def test_a_broken_bundled_plugin_is_named_too():
    found = load_plugins(("no_such_bundled_plugin",), environment={"AUTOML_LOAD_PLUGINS": ""})
    assert [one.plugin for one in found.broken] == ["no_such_bundled_plugin"]
    assert found.components == {}


def test_the_bundled_plugins_are_whole():
    found = load_plugins(BUNDLED, environment={"AUTOML_LOAD_PLUGINS": ""})
    assert found.broken == []
    assert {kind for kind, _ in found.components} == set(KINDS)


@pytest.mark.parametrize(("kind", "name"), sorted(load_plugins(environment={"AUTOML_LOAD_PLUGINS": ""}).components))
def test_every_bundled_component_can_be_loaded_and_described(kind, name):
    component = registry().load(kind, name)
    assert component.kind == kind
    assert registry().find(kind, name).summary
    assert (component.__doc__ or "").strip()
    for option, field in component.Options.model_fields.items():
        assert field.description, f"option {name}.{option} has no documentation"


def test_there_is_a_hook_for_every_kind():
    assert {hook for hook, _ in KINDS.values()} == {name for name in vars(Hooks) if name.startswith("register_")}
    for kind, (_, base) in KINDS.items():
        assert load_target(base).kind == kind


def test_an_empty_registry_names_nothing():
    assert Registry().names("space") == []
    with pytest.raises(ConfigurationError, match="known: none"):
        Registry().find("space", "any")


def test_foreign_code_is_isolated_from_exceptions_but_not_from_interrupts():
    def interrupt():
        raise KeyboardInterrupt

    assert isolated(lambda: 5) == 5
    assert isinstance(isolated(lambda: 1 / 0), ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt):
        isolated(interrupt)
