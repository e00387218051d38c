"""The root of the command line: commands that load when typed, errors, exit codes and logging."""

from __future__ import annotations

import importlib
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TextIO

import typer
from typer.core import TyperCommand

from automl.cli import INTERRUPTED
from automl.cli._options import Debug, PluginFiles
from automl.cli._usage import Group, UsageProblem, explained, plain_arguments
from automl.errors import AutomlError, ExitCode
from automl.version import __version__

COMMANDS: Mapping[str, str] = {
    "search": "Search for architectures.",
    "compare": "Compare strategies on one problem, over several seeds.",
    "correlate": "Compare cheap scores with a metric: how well do they rank architectures?",
    "run": "Run a study file: one that is shipped, or your own.",
    "resume": "Continue a study, or extend it; or continue a comparison or a correlation.",
    "studies": "List the studies in a store; a comparison is one line.",
    "show": "Show a study: its state, budget and trials; or one of its trials.",
    "explain": "Say why a trial waits, failed, was rejected or pruned, or was not run, and what to do.",
    "best": "Show the best architectures of a study.",
    "retrain": "Train a found architecture to keep, on all data but the test split, and test it.",
    "export": "Write a retrained network as PyTorch, ONNX or Python source, verified, with a model card.",
    "report": "Write one page of HTML about a study, a comparison or a correlation.",
    "bundle": "Write a study to one file that can be replayed elsewhere.",
    "replay": "Run the study of a bundle again, and say whether it finds the same.",
    "list": "List the installed components and broken plugins, or the entries of a catalogue.",
    "describe": "Describe a component, its options and metrics, or an entry of a catalogue.",
    "plugin": "Write a plugin of your own, check it, and see which are loaded.",
    "doctor": "Look for what may keep the program from working here, and say what to do about it.",
    "data": "Show, find and convert benchmark tables and data sets, which live outside the program.",
    "ui": "Open the MLflow user interface.",
    "mlflow": "Work with the MLflow mirror of studies.",
}

_PROGRAM = "automl"
_WITH_PLUGINS = frozenset(COMMANDS) - {"data", "mlflow", "plugin", "studies", "ui"}

log = logging.getLogger("automl")


class LazyGroup(Group):
    """The commands of `COMMANDS`; the module of one is imported only when that one runs."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.commands.update({name: TyperCommand(name, help=text) for name, text in COMMANDS.items()})

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the real command in place of its stand-in."""
        name, stand_in, rest = super().resolve_command(ctx, args)
        if stand_in is None:
            return name, stand_in, rest
        return name, command_of(str(name)), rest

    def invoke(self, ctx: Any) -> Any:
        """Run the command; of a Ctrl-C that it leaves to us, say so."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            print(INTERRUPTED, file=sys.stderr)
            raise typer.Exit(ExitCode.INTERRUPTED) from None


def command_of(name: str) -> Any:
    """Return a command as it is run: with ``--plugin``, unless it looks at no component of a study."""
    made = plain_arguments(typer.main.get_command(importlib.import_module(f"automl.cli.{name}").app))
    if name in _WITH_PLUGINS:
        made.params += [option for option in _plugin_command().params if option.name == "files"]
        made.params.sort(key=lambda option: option.name in ("files", "debug", "help"))  # these go last
    return made


def _plugin_command() -> Any:
    """Return a command whose one option is ``--plugin``, which acts by itself and is passed to no function."""
    made = typer.Typer(add_completion=False)

    @made.command()
    def nothing(files: PluginFiles = None) -> None:
        """Do nothing."""

    command = typer.main.get_command(made)
    for option in command.params:
        option.expose_value = False
    return command


app = typer.Typer(cls=LazyGroup, no_args_is_help=True, rich_markup_mode=None, pretty_exceptions_enable=False)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        print(f"automl {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
    files: PluginFiles = None,
    debug: Debug = False,
) -> None:
    """Search for neural architectures, with everything interesting in plugins.

    Start with `automl search --trials 40`, or see `automl list` and `automl run`.
    """


def run_app(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    _configure_logging()
    try:
        code = _invoke(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has had enough. What is still buffered has nowhere to go, the interpreter's last flush
        # included.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return int(ExitCode.FAILED)
    return code


def _invoke(arguments: Sequence[str] | None) -> int:
    try:
        code = typer.main.get_command(app).main(args=arguments, prog_name=_PROGRAM, standalone_mode=False)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UsageProblem as problem:
        print(explained(problem), file=sys.stderr)
        return int(problem.exit_code)
    except AutomlError as error:
        if log.isEnabledFor(logging.DEBUG):
            traceback.print_exception(error)
        print("\n  ".join([f"error: {error}", *getattr(error, "__notes__", ())]), file=sys.stderr)
        return int(error.exit_code)
    return code if isinstance(code, int) else 0


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is now, which a progress display may have wrapped."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _: TextIO) -> None:
        pass


class _Formatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        return text if record.levelno == logging.INFO else f"{record.levelname.lower()}: {text}"


def _configure_logging() -> None:
    """Send what "automl" logs to stderr, from warnings on; `--debug` and a search lower the level."""
    if not any(isinstance(handler, _StderrHandler) for handler in log.handlers):
        handler = _StderrHandler()
        handler.setFormatter(_Formatter())
        log.addHandler(handler)
    log.setLevel(logging.WARNING)
