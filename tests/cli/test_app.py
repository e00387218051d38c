import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from automl.cli import main
from automl.cli._app import COMMANDS
from automl.version import __version__

HEAVY = ("pydantic", "sqlalchemy", "torch", "optuna", "mlflow", "numpy", "sklearn", "networkx", "rich")


def modules_after(arguments: list[str], environment: dict[str, str]) -> set[str]:
    """Return the modules that a process has imported after a command."""
    script = (
        "import sys, io, contextlib\nfrom automl.cli import main\n"
        f"with contextlib.redirect_stdout(io.StringIO()):\n    main({arguments!r})\n"
        "print(' '.join(sys.modules))"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_help_lists_every_command_and_imports_nothing_heavy(automl, process_environment):
    shown = automl("--help")
    assert shown.code == 0
    assert all(f"  {name} " in shown.out for name in COMMANDS)
    assert modules_after(["--help"], process_environment).isdisjoint(HEAVY)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_of_a_command_what_the_command_says_of_itself(name, automl):
    command = typer.main.get_command(importlib.import_module(f"automl.cli.{name}").app)
    assert (command.help or "").splitlines()[0] == COMMANDS[name]
    assert automl(name, "--help").code == 0


def test_help_of_search_imports_nothing_heavy(process_environment):
    assert modules_after(["search", "--help"], process_environment).isdisjoint(
        {"torch", "optuna", "mlflow", "sqlalchemy"}
    )


def test_help_takes_a_moment(process_environment):
    before = os.times()
    subprocess.run([sys.executable, "-m", "automl", "--help"], env=process_environment, check=True, capture_output=True)
    after = os.times()
    spent = after.children_user - before.children_user + after.children_system - before.children_system
    assert spent < 1.0  # the benchmark holds it to 0.3 on a quiet machine


def test_version(automl):
    assert automl("--version").out == f"automl {__version__}\n"


def test_no_command_shows_the_help_and_is_a_usage_error(automl):
    shown = automl()
    assert shown.code == 2
    assert "Commands:" in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "nearest"),
    [(["serch"], "search"), (["search", "--trails", "3"], "--trials"), (["show", "x", "--jsn"], "--json")],
)
def test_misspelt_command_or_option_is_answered_with_the_nearest(arguments, nearest, automl):
    ran = automl(*arguments)
    assert ran.code == 2
    assert nearest in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    "arguments",
    [["--trials", "0"], ["--trials", "x"], ["--time", "soon"], ["--time", "0"], ["--workers", "-1"], ["--seed", "-1"]],
)
def test_senseless_number_is_a_usage_error_that_names_the_flag(arguments, automl):
    ran = automl("search", *arguments)
    assert (ran.code, arguments[0] in ran.err) == (2, True)


def test_error_of_the_user_has_no_traceback_unless_debug_asks(automl):
    plain = automl("show", "nothing", "--storage", "absent.db")
    assert (plain.code, plain.out) == (1, "")
    assert plain.err.startswith("error: store absent.db does not exist")
    assert "Traceback" not in plain.err
    assert "Traceback" in automl("show", "nothing", "--storage", "absent.db", "--debug").err
    assert "Traceback" in automl("--debug", "show", "nothing", "--storage", "absent.db").err


def test_mistake_of_ours_shows_its_traceback_and_exits_with_1(process_environment):
    script = (
        "import sys, automl.cli.list as broken\nfrom automl.cli import main\n"
        "import automl.plugins as plugins\nplugins.registry = lambda: 1 / 0\nsys.exit(main(['list']))"
    )
    ended = subprocess.run([sys.executable, "-c", script], env=process_environment, capture_output=True, text=True)
    assert ended.returncode == 1
    assert "ZeroDivisionError" in ended.stderr


def test_warnings_of_the_program_go_to_stderr(automl):
    import logging

    automl("--version")
    assert any(type(handler).__name__ == "_StderrHandler" for handler in logging.getLogger("automl").handlers)


def test_closed_pipe_ends_the_program_quietly(tiny, process_environment):
    tiny("--trials", "40", "--study", "long", "--quiet")
    command = f"{sys.executable} -m automl show long --last 0 --json | head -c 10"
    ended = subprocess.run(command, shell=True, env=process_environment, capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ('{\n  "study', "")


def test_launcher_and_module_are_the_same_program(automl_process):
    assert automl_process("--version").out == f"automl {__version__}\n"
    assert main(["--version"]) == 0


def test_tables_in_a_pipe_have_no_colours(tiny, automl_process):
    tiny("--trials", "3", "--study", "plain", "--quiet")
    for command in (("show", "plain"), ("best", "plain"), ("studies",), ("list",), ("describe", "random_search")):
        ran = automl_process(*command)
        assert (ran.code, "\x1b" in ran.out + ran.err) == (0, False), command


def test_every_command_has_its_own_test_module():
    names = {path.stem for path in Path(__file__).parent.glob("test_*.py")}
    assert {f"test_{name}" for name in COMMANDS} <= names
