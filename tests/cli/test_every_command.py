"""What holds of every command and subcommand: help, misspelt options, values and names. A new one is covered as is."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from automl import search
from automl.cli import _app, main
from automl.cli._app import COMMANDS, app, command_of
from automl.errors import ExitCode

STUDY = "tiny"
UNREADABLE = {"N": "x", "K": "x", "X": "far", "SHARE": "x", "MIB": "much", "DURATION": "soon", "A,B": None}
RIGHT = {
    "STUDY": STUDY,
    "TRIAL": "0",
    "FILE.zip": "a.zip",
    "KIND": "strategy",
    "KIND of plugin new": "strategy",
    "SOURCE": "a.tfrecord",
    "NAME": "nas_bench_201",
    "NAME|FILE": "train",
    "[KIND] [NAME]": "train",
}
# What is given to be refused: an argument by its metavar, or by that and the command; ``None`` where any text will do.
ABSENT_ARGUMENTS = {
    "STUDY": "tinny",
    "COMPARISON": "tinny",
    "TRIAL": "99",
    "NAME_OR_FILE": "digit",
    "FILE.zip": "absent.zip",
    "KIND": "strategi",
    "[KIND] [NAME]": "trainn",
    "NAME|FILE": "nobody",
    "FILE": "absent.npz",
    "SOURCE": "absent.tfrecord",
    "NAME of data path": "digitts",
    "NAME of data convert": "digitts",
    "NAME of plugin show": "nobody",
    "NAME of plugin new": "Not a Name",
    "NAME of compare": None,
    "NAME of correlate": None,
}
ABSENT_OPTIONS = {
    "--space": "nas_cel",
    "--strategy": "random_serch",
    "--task": "digit",
    "--evaluator": "trainn",
    "--proxy": "naswott",
    "--aggregate": "vott",
    "--format": "onx",
    "--kind": "strateg",
    "--trial": "99",
    "--config": "absent.toml",
    "--plugin": "absent.py",
    "--data": "absent.csv",
}


def every_command() -> Iterator[tuple[str, Any]]:
    """Yield name and command of all there are, ``plugin check`` as well as ``plugin``."""
    yield "", typer.main.get_command(app)
    for name in COMMANDS:
        command = command_of(name)
        yield name, command
        yield from ((f"{name} {inner}", found) for inner, found in getattr(command, "commands", {}).items())


EVERY = dict(every_command())
OPTIONS = [(name, option) for name, command in EVERY.items() for option in command.params if option.opts[0][0] == "-"]
ARGUMENTS = [(name, one) for name, command in EVERY.items() for one in command.params if one.opts[0][0] != "-"]


def arguments_of(name: str) -> list[Any]:
    return [argument for command, argument in ARGUMENTS if command == name]


def required_words(name: str, *, but: Any = None, instead: str = "") -> list[str]:
    """Return the words that a command cannot do without, one of them replaced."""
    options = [one for command, one in OPTIONS if command == name and one.required]
    words = [word for one in options for word in (one.opts[0], RIGHT[f"{one.metavar} of {name}"])]
    found = arguments_of(name)
    last = found.index(but) if but is not None else -1
    for place, argument in enumerate(found):
        if argument is but:
            words.append(instead)
        elif argument.required or place < last:
            words.append(RIGHT[argument.metavar])
    return words


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one study of two trials."""
    path = tmp_path_factory.mktemp("finished") / "automl.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        made = {"space": "tiny_components:TinySpace", "task": "tiny_components:TinyTask", "strategy": "random_search"}
        evaluators = ["tiny_components:Score"]
        search(**made, evaluators=evaluators, trials=2, study=STUDY, storage=str(path)).store.close()
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That store in the folder of the test, and no data sets."""
    monkeypatch.setenv("AUTOML_DATA_DIR", str(tmp_path / "data"))
    return Path(shutil.copy(finished, tmp_path))


def assert_one_line(ran: Any, *codes: int) -> None:
    """Assert that a mistake was answered with its code and one line, or one with indented ones below it."""
    first, *rest = ran.err.splitlines()
    assert (ran.code in codes, ran.out) == (True, ""), ran
    assert first.startswith("error: "), ran.err
    assert len(rest) <= 3, ran.err
    assert all(line.startswith("  ") for line in rest), ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", EVERY)
def test_help_fits_80_columns_and_says_what_everything_is(name, automl, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = automl(*name.split(), "--help")
    assert (shown.code, shown.err) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 80
    usage, _, rest = shown.out.partition("\n\n")
    assert "{" not in usage
    assert not re.search(r"\w\.\.\.(\s|$)", rest.replace("STUDY...", "")), "a text is cut off"
    for parameter in EVERY[name].params:
        assert all(option in shown.out for option in parameter.opts if option.startswith("--"))
        assert name == "" or parameter.help, f"{parameter.opts} has no help text"
        assert not (parameter.help or "").startswith(" ")


@pytest.mark.parametrize("name", EVERY)
def test_misspelt_option_is_answered_with_the_nearest_in_one_line(name, automl):
    for option in [one.opts[0] for command, one in OPTIONS if command == name] + ["--help"]:
        ran = automl(*name.split(), option + option[-1])
        assert_one_line(ran, 2)
        assert f"did you mean {option}?" in ran.err, ran.err
        assert f"(see `{' '.join(['automl', *name.split()])} --help`)" in ran.err


@pytest.mark.parametrize("name", EVERY)
def test_value_that_cannot_be_read_is_refused_in_one_line_that_names_the_option(name, automl):
    for option in [one for command, one in OPTIONS if command == name]:
        is_flag = getattr(option, "is_flag", False)
        wrong = "nonsense" if option.metavar is None and not is_flag else UNREADABLE.get(option.metavar)
        if wrong is not None and not is_flag:
            ran = automl(*name.split(), *required_words(name), option.opts[0], wrong)
            assert_one_line(ran, 2)
            assert option.opts[0] in ran.err
            assert repr(wrong) in ran.err, "what was found"


@pytest.mark.parametrize("name", [name for name in EVERY if any(one.required for one in arguments_of(name))])
def test_missing_argument_is_one_line(name, automl):
    ran = automl(*name.split())
    assert_one_line(ran, 2)
    assert "missing" in ran.err


@pytest.mark.parametrize("name", [name for name in EVERY if not hasattr(EVERY[name], "commands")])
def test_argument_too_many_is_one_line(name, automl, store):
    if all(argument.nargs == 1 for argument in arguments_of(name)):
        given = [RIGHT.get(argument.metavar, "x") for argument in arguments_of(name)]
        assert_one_line(automl(*name.split(), *given, "superfluous"), 2)


@pytest.mark.parametrize(
    ("name", "argument"), [pytest.param(name, one, id=f"{name}-{one.name}") for name, one in ARGUMENTS]
)
def test_unknown_name_is_one_line_that_repeats_it(name, argument, automl, store):
    by_command = f"{argument.metavar} of {name}"
    wrong = ABSENT_ARGUMENTS[by_command if by_command in ABSENT_ARGUMENTS else argument.metavar]
    if wrong is not None:
        ran = automl(*name.split(), *required_words(name, but=argument, instead=wrong))
        assert_one_line(ran, ExitCode.USAGE, ExitCode.CONFIGURATION)
        assert wrong in ran.err
        if argument.metavar in ("STUDY", "TRIAL"):
            assert ran.code == ExitCode.USAGE


@pytest.mark.parametrize(
    ("name", "option"),
    [
        pytest.param(name, found, id=f"{name}-{found.opts[0]}")
        for name, found in OPTIONS
        if name and found.opts[0] in ABSENT_OPTIONS
    ],
)
def test_unknown_name_given_to_an_option_is_one_line_that_repeats_it(name, option, automl, store):
    wrong = ABSENT_OPTIONS[option.opts[0]]
    words = [RIGHT[one.metavar] for one in arguments_of(name)] if option.required else required_words(name)
    words += ["--strategy", "random_search"] if name == "compare" else []
    ran = automl(*name.split(), *words, option.opts[0], wrong)
    assert_one_line(ran, ExitCode.USAGE, ExitCode.CONFIGURATION)
    assert wrong in ran.err


@pytest.mark.parametrize("name", [name for name, one in ARGUMENTS if one.metavar == "STUDY" and one.required])
def test_store_that_is_not_there_is_one_line_and_not_made(name, automl):
    assert_one_line(automl(*name.split(), *required_words(name), "--storage", "absent.db"), ExitCode.FAILED)
    assert not Path("absent.db").exists()


@pytest.mark.parametrize("name", [name for name in EVERY if not hasattr(EVERY[name], "commands")])
def test_interrupt_that_a_command_leaves_alone_is_one_line_and_130(name, automl, monkeypatch):
    command = EVERY[name]

    def interrupted(**_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "callback", interrupted)
    monkeypatch.setattr(_app, "command_of", lambda first: EVERY[first])
    ran = automl(*name.split(), *required_words(name))
    assert (ran.code, ran.out) == (ExitCode.INTERRUPTED, "")
    assert ran.err == "interrupted; nothing is lost: type the same command again\n"


def test_interrupt_while_the_program_loads_is_one_line(monkeypatch, capsys):
    def interrupted(_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(_app, "run_app", interrupted)
    assert main(["list"]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err.startswith("interrupted; ")
