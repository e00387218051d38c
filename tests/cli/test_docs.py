"""Every command, option, environment variable and exit code has its place in docs/cli.md."""

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from automl import load_study
from automl.cli._app import COMMANDS, app
from automl.errors import ExitCode
from automl.studyfile import StudyFile

DOCS = Path(__file__).resolve().parents[2] / "docs" / "cli.md"


def options() -> Iterator[tuple[str, str]]:
    root = typer.main.get_command(app)
    commands = {"automl": root}
    for name in COMMANDS:
        command = typer.main.get_command(importlib.import_module(f"automl.cli.{name}").app)
        commands[name] = command
        commands.update({f"{name} {inner}": found for inner, found in getattr(command, "commands", {}).items()})
    for name, command in commands.items():
        for parameter in command.params:
            yield from ((name, option) for option in parameter.opts if option.startswith("--"))


@pytest.fixture(scope="module")
def text() -> str:
    if not DOCS.exists():
        pytest.skip("the documents are not installed")
    return DOCS.read_text()


@pytest.mark.parametrize("name", COMMANDS)
def test_command_has_a_section_and_a_row_in_the_table(name, text):
    assert f"\n## automl {name}\n" in text
    assert f"\n| `automl {name}` | " in text


@pytest.mark.parametrize(("command", "option"), list(options()))
def test_option_is_documented(command, option, text):
    first = command.split(" ", maxsplit=1)[0]
    section = text if command == "automl" else text.split(f"\n## automl {first}\n")[1].split("\n## ")[0]
    assert f"`{option}" in section, f"{option} of {command}"


def test_examples_of_json_have_the_keys_of_the_real_thing(text, tiny, automl):
    tiny("--trials", "1", "--study", "a", "--quiet")
    summary, whole = map(json.loads, re.findall(r"```json\n(.*?)```", text, re.DOTALL))
    found, found_whole = load_study("a").summary_json(), load_study("a").to_json()
    assert (list(summary), list(summary["best"][0])) == (list(found), list(found["best"][0]))
    assert list(summary["trials"]) == list(found["trials"])
    assert list(whole["study"]) == list(found_whole["study"])
    assert list(whole["trials"][0]) == list(found_whole["trials"][0])


def test_example_of_a_study_file_is_one(text):
    example = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)[0]
    definition = StudyFile(Path("example.toml"), example).definition
    assert set(type(definition).model_fields) == {*definition.model_fields_set, "correlation"}
    assert definition.execution.model_fields_set | {"executor"} == set(type(definition.execution).model_fields)


def test_exit_codes_and_environment_variables_are_documented(text):
    variables = (
        *("AUTOML_STORAGE", "AUTOML_DATA_DIR", "AUTOML_LOAD_PLUGINS", "AUTOML_PLUGIN_FILES", "AUTOML_STRICT_PLUGINS"),
        "MLFLOW_TRACKING_URI",
    )
    assert all(f"`{name}`" in text for name in variables)
    assert all(f"| {code.value} |" in text for code in ExitCode)
