"""What `automl plugin new` does and prints."""

from __future__ import annotations

import shlex
from pathlib import Path

from automl.cli._output import console
from automl.cli._program import program
from automl.scaffold import kind_of_template, new_plugin, write_plugin


def write_and_say(name: str, kind: str, out: Path | None) -> None:
    """Write the repository of a new plugin, and say what to type next."""
    plugin = new_plugin(kind_of_template(kind), name)
    folder = out or Path(plugin.distribution)
    written = write_plugin(plugin, folder)
    screen = console()
    screen.print(f"wrote the {plugin.kind} {plugin.name}, with {len(written)} files in {folder}:", soft_wrap=True)
    for path in written:
        screen.print(f"  {path}", soft_wrap=True)
    place = shlex.quote(str(folder))
    screen.print("\nnext:")
    commands = [
        (f"pip install -e {place}", "install it; what you change then works at once"),
        (f"{program()} describe {plugin.kind} {plugin.name}", "see it"),
        (f"{program()} plugin check {plugin.distribution}", "check it against the rules of its kind"),
        (f"python -m pytest {place}", "the same rules and a test of your own, for continuous integration"),
    ]
    width = max(len(command) for command, _ in commands)
    for command, what in commands:
        screen.print(f"  {command:<{width}}   {what}", soft_wrap=True)
