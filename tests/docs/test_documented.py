"""Every hook, component and setting is in the documents, and what the documents name exists."""

import re
import shlex
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from automl.cascade import FailureKind
from automl.cli._app import COMMANDS, command_of
from automl.definition import Budget, ComponentSpec, Correlation, Execution, StudyDefinition
from automl.hooks import Hooks
from automl.plugins import BUNDLED, KINDS, load_plugins
from automl.studyfile import StudyFile

HOOKS = sorted(name for name in vars(Hooks) if name.startswith("register_"))
SETTINGS = [
    (prefix + name, field)
    for prefix, model in (
        ("", StudyDefinition),
        ("budget.", Budget),
        ("execution.", Execution),
        ("correlation.", Correlation),
    )
    for name, field in model.model_fields.items()
]
COMPONENTS = sorted(load_plugins(BUNDLED, environment={"AUTOML_LOAD_PLUGINS": ""}).components)
LISTED_TOGETHER = ("proxy", "aggregator")
"""Kinds with one row for all of them: a table of their own is in docs/methods/zero_cost.md."""
METHODS = [(kind, name) for kind, name in COMPONENTS if kind in ("space", "strategy", "evaluator")]


@pytest.mark.parametrize("hook", HOOKS)
def test_hook_is_documented(hook, documents):
    assert f"`{hook}(register)`" in documents["docs/plugins.md"]


def test_every_kind_has_a_hook_in_the_documents():
    assert sorted(hook for hook, _ in KINDS.values()) == HOOKS


@pytest.mark.parametrize(("kind", "name"), COMPONENTS)
def test_component_is_documented(kind, name, documents):
    row = rf"\| {kind} \| .*`{name}`" if kind in LISTED_TOGETHER else rf"\| {kind} \| \[?`{name}`"
    assert re.search(row, documents["README.md"]), "not in the README's table"
    assert any(name in text for path, text in documents.items() if path.startswith("docs/"))


@pytest.mark.parametrize(("kind", "name"), METHODS)
def test_method_has_a_page(kind, name, documents):
    page = documents[f"docs/methods/{name}.md"]
    assert page.startswith(f"# {name}\n")
    for part in ("**What it is.**", "**Paper.**", "**When to use it.**", "**Know.**"):
        assert part in page


@pytest.mark.parametrize(("name", "field"), SETTINGS, ids=[name for name, _ in SETTINGS])
def test_setting_is_documented_with_its_default(name, field, documents):
    row = re.search(rf"^\| `{re.escape(name)}` \|(.*)\|$", documents["docs/settings.md"], re.MULTILINE)
    assert row, f"`{name}` has no row in docs/settings.md"
    _, default, flag, meaning = (cell.strip() for cell in re.split(r"(?<!\\)\|", row[1]))
    assert default == in_words(name, field.default)
    assert len(meaning) > 5
    assert not flag or flag.strip("`") in search_flags() | flags_of("correlate")


def in_words(name, default):
    """Return a default as docs/settings.md writes it."""
    assert default is not PydanticUndefined
    match name, default:
        case "budget", _:
            return f"{default.trials} trials"
        case "execution", _:
            return ""
        case _, None | ():
            return "none"
        case _, ComponentSpec():
            return default.name
        case _, (ComponentSpec(), *_):
            return ", ".join(spec.name for spec in default)
        case _, bool():
            return str(default).lower()
        case _, tuple():
            return ", ".join(default)
    return str(default)


def test_documented_settings_exist(documents):
    rows = re.findall(r"^\| `([\w.]+)` \|", documents["docs/settings.md"], re.MULTILINE)
    assert sorted(rows) == sorted(name for name, _ in SETTINGS)


def test_study_file_of_the_documents_is_one(documents, fences):
    [text] = [text for _, language, text in fences(documents["docs/settings.md"]) if language == "toml"]
    assert StudyFile(Path("my_study.toml"), text).definition.budget.time == 3600


def test_failure_kinds_are_documented(documents):
    rows = re.findall(r"^\| `(\w+)` \|", documents["docs/reliability.md"], re.MULTILINE)
    assert sorted(rows) == sorted(FailureKind.__args__)


def test_every_command_line_of_the_documents_could_be_typed(documents, fences):
    """Commands and flags in ``sh`` blocks exist. Those of docs/first-plugin.md are also run."""
    seen = 0
    for path, text in documents.items():
        for _, language, block in fences(text):
            for line in block.replace("\\\n", " ").splitlines() if language == "sh" else ():
                words = shlex.split(line, comments=True)
                words = words[2:] if words[:2] == ["python", "-m"] else words
                if words[:1] != ["automl"] or len(words) == 1 or words[1].startswith("-"):
                    continue
                used = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
                assert words[1] in COMMANDS, f"{path}: {line}"
                assert used <= flags_of(words[1]), f"{path}: {line}"
                seen += 1
    assert seen > 20


def test_links_lead_somewhere(documents, checkout):
    for path, text in documents.items():
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
            if "://" not in target:
                assert ((checkout / path).parent / target).exists(), f"{path}: {target}"


def test_files_that_the_documents_name_exist(documents, checkout):
    for path, text in documents.items():
        for name in re.findall(r"`((?:automl|automl_plugins|automl_spaces|benchmarks)/[\w/]+(?:\.py|/))`", text):
            homes = (checkout, checkout / "plugins", checkout / "search_spaces")
            assert any((home / name).exists() for home in homes), f"{path}: {name}"


def test_every_page_is_reached_from_the_index(documents):
    index = documents["docs/README.md"]
    for path in documents:
        if path.startswith("docs/") and path != "docs/README.md":
            assert path.removeprefix("docs/") in index, path


def test_python_of_the_readme_runs(documents, fences, run, tmp_path):
    [text] = [text for _, language, text in fences(documents["README.md"]) if language == "python"]
    done = run(["-c", text], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "nor_conv" in done.stdout or "edge_0_1" in done.stdout


def flags_of(command):
    found = command_of(command)
    commands = [found, *getattr(found, "commands", {}).values()]
    return {option for one in commands for parameter in one.params for option in parameter.opts} | {"--help"}


def search_flags():
    return flags_of("search")
