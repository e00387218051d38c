"""What is said about a command line that cannot be read, and how arguments and commands look in a help text."""

from __future__ import annotations

from functools import partial
from typing import Any

import typer
from typer.core import TyperGroup

# What the parser raises; of its classes typer exports a grandchild only.
UsageProblem: Any = typer.BadParameter.__mro__[2]

# Typer's words, some of them pydantic's, and ours.
_WORDS = {
    ". Did you mean": "; did you mean",
    " Value error,": "",
    " Input should": " it should",
    ", unable to parse string as an integer": "",
    ", unable to parse string as a number": "",
    "got unexpected extra argument(s)": "more arguments than it takes:",
}


class Group(TyperGroup):
    """Commands that are listed with the whole first line of their help, where typer would cut it off."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write name and help of each command."""
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, (command.help or "").split("\n")[0]) for name, command in found if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def explained(problem: Any) -> str:
    """Return one line on what was wrong with a command line, with the nearest right word; or the help that was due."""
    context = getattr(problem, "ctx", None)
    name = getattr(problem, "option_name", None)
    if type(problem).__name__ == "NoArgsIsHelpError":
        return str(problem.format_message())
    if type(problem).__name__ == "NoSuchOption":
        near = next(iter(problem.possibilities or ()), None)
        what = f"unknown option {name}" + (f"; did you mean {near}?" if near else "")
    else:
        what = " ".join(str(problem.format_message()).split()).rstrip(".")
        what = what[:1].lower() + what[1:]
        for theirs, ours in _WORDS.items():
            what = what.replace(theirs, ours)
        what += _found(problem, what)
    if context is not None:
        what += f"   (see `{context.command_path} --help`)"
    return f"error: {what}"


def _found(problem: Any, what: str) -> str:
    """Return what was given in place of a number, say, as pydantic knows it; empty if ``what`` has it already."""
    details = getattr(problem.__cause__ or problem.__context__, "errors", None)
    given = details()[0].get("input") if callable(details) else None
    return f", but got {given!r}" if isinstance(given, str | int | float) and repr(given) not in what else ""


def plain_arguments(command: Any) -> Any:
    """Return ``command``, whose help shows arguments as manuals do: ``STUDY [TRIAL]``.

    Typer would put those that are required in braces, ``{STUDY}``, and name Python types. A metavar of several words is
    shown as it is.
    """
    for inner in getattr(command, "commands", {}).values():
        plain_arguments(inner)
    for argument in command.params:
        if argument.param_type_name == "argument" and argument.metavar:
            argument.get_usage_pieces = partial(_usage_pieces, argument)
            argument.display_type_rich = _no_type
    return command


def _usage_pieces(argument: Any, _context: Any) -> list[str]:
    word = str(argument.metavar)
    if " " in word:
        return [word]
    word = word if argument.required else f"[{word}]"
    return [word if argument.nargs == 1 else f"{word}..."]


def _no_type(ctx: Any) -> str:
    return ""
