"""Pages of the site that are made from the code: options of every component, the command line, the Python API.

They use what `automl describe` and `automl --help` print, so nothing here can be out of date.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from typer.testing import CliRunner

import automl
from automl import Component, Evaluator
from automl.cli._app import COMMANDS, app, command_of
from automl.cli._describing import metric_rows, option_rows
from automl.plugins import BUNDLED, load_plugins

GATHERED = {
    "task": "Tasks",
    "executor": "Executors",
    "tracker": "Trackers",
    "exporter": "Exporters",
    "proxy": "Proxies",
    "aggregator": "Aggregators",
}
"""Kinds whose components share one generated page."""
PAGED = {"space": "Spaces", "strategy": "Strategies", "evaluator": "Evaluators"}
"""Kinds whose components have a page each."""
API = {
    "studies": (
        "Studies and results",
        (
            "api",
            "own_loop",
            "asking",
            "study",
            "trial",
            "definition",
            "storage.",
            "objectives",
            "conditions",
            "comparison.",
            "correlation.",
        ),
    ),
    "models": ("Trained models", ("models.", "exporter", "exports.", "explanation")),
    "spaces": (
        "Spaces, architectures and graphs",
        ("space", "architecture", "decisions", "supernet", "given", "graphs.", "drawing", "crossover_drawing"),
    ),
    "proxies": ("Proxies", ("proxies.",)),
    "plugins": ("Plugins, tasks, data and errors", ("",)),
}
"""Pages of the Python API: title, and beginnings of the modules under ``automl`` whose names they have."""
_REGISTRY = load_plugins(BUNDLED, environment={"AUTOML_LOAD_PLUGINS": ""})
_SECTION = re.compile(r"^(Args|Attributes|Raises|Returns|Yields|Example|Examples):$")


def components(kind: str) -> list[str]:
    """Return the names of the bundled components of a kind, in the order they were registered in."""
    return [name for known, name in _REGISTRY.components if known == kind]


def options_section(name: str) -> str:
    """Return the part of a method's page that is made from the code: the options and metrics of what has this name."""
    kinds = [kind for kind in PAGED if name in components(kind)]
    parts = []
    for kind in kinds:
        component = _REGISTRY.load(kind, name)
        of = f" of the {kind}" if len(kinds) > 1 else ""
        parts += [f"## Options{of}", _options(component)]
        rows = metric_rows(component) if issubclass(component, Evaluator) else []
        if rows:
            parts += [f"## Metrics{of}", _table(("metric", "better", "unit", "what it is"), rows)]
    return "\n\n".join(parts)


def kind_page(kind: str) -> str:
    """Return the page of a kind in `GATHERED`: what each component is, and its options."""
    parts = [f"# {GATHERED[kind]}", f"`automl describe {kind} NAME` prints the same in a terminal."]
    for name in components(kind):
        component = _REGISTRY.load(kind, name)
        parts += [f"## {name}", _docstring(component).partition("\n```python")[0].strip()]
        if component.paper:
            parts.append(f"**Paper.** {component.paper}")
        parts.append(_options(component))
        declared = getattr(component, "declared", ()) if kind == "proxy" else ()
        if declared:
            rows = [[metric.name, metric.direction, metric.unit, metric.doc] for metric in declared]
            parts.append(_table(("metric", "better", "unit", "what it is"), rows))
    return "\n\n".join(parts) + "\n"


def commands_page() -> str:
    """Return the help of every command, as the program prints it."""
    parts = [
        "# Every command and option",
        "What `automl COMMAND --help` prints. [The command line](../cli.md) says what the options mean.",
    ]
    for name in COMMANDS:
        for words in ([name], *([name, sub] for sub in getattr(command_of(name), "commands", {}))):
            done = CliRunner().invoke(app, [*words, "--help"], prog_name="automl", terminal_width=100)
            if done.exit_code:
                raise SystemExit(f"`automl {' '.join(words)} --help` fails: {done.exception}")
            parts += [f"## automl {' '.join(words)}", f"```text\n{done.stdout.strip()}\n```"]
    return "\n\n".join(parts) + "\n"


def api_pages() -> Mapping[str, tuple[str, str]]:
    """Return title and text of every page of the Python API, by name; each exported name is on exactly one."""
    names: dict[str, list[str]] = {page: [] for page in API}
    for name in automl.__all__:
        if name.startswith("__"):
            continue
        home = automl._HOME_OF[name]
        page = next(page for page, (_, homes) in API.items() if any(_belongs(home, each) for each in homes))
        names[page].append(name)
    return {page: (title, _api_page(title, names[page])) for page, (title, _) in API.items()}


def _belongs(home: str, beginning: str) -> bool:
    return home == beginning or not beginning or (beginning.endswith(".") and home.startswith(beginning))


def _api_page(title: str, names: Iterable[str]) -> str:
    parts = [f"# {title}", "Everything here is imported from `automl` itself: `from automl import Name`."]
    for name in names:
        value = getattr(automl, name)
        parts.append(f"## {name}")
        if inspect.isclass(value) and not hasattr(value, "__origin__"):
            parts += [_code(f"class {name}{_signature(value)}"), _docstring(value), *_members(value)]
        elif inspect.isroutine(value):
            parts += [_code(f"{name}{_signature(value)}"), _docstring(value)]
        else:
            parts.append(_code(f"{name} = {_plain(value)}"))
    return "\n\n".join(parts) + "\n"


def _members(value: type) -> list[str]:
    parts = []
    for name, member in vars(value).items():
        function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
        if name.startswith("_") or not inspect.isfunction(function) or not inspect.getdoc(function):
            continue
        shown = name if isinstance(member, property) else f"{name}{_signature(function)}"
        parts += [f"**`{shown}`**", _docstring(function)]
    return parts


class _Raw:
    """An annotation that is shown as it was written."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def _signature(value: Any) -> str:
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [
        each.replace(annotation=_Raw(each.annotation)) if isinstance(each.annotation, str) else each
        for each in found.parameters.values()
        if each.name not in ("self", "cls")
    ]
    returned = found.return_annotation
    returned = _Raw(returned) if isinstance(returned, str) and returned != "None" else inspect.Signature.empty
    return _plain(found.replace(parameters=parameters, return_annotation=returned))


def _plain(value: object) -> str:
    """Return text without addresses and modules, which say nothing to a reader."""
    text = re.sub(r"<(?:function|class) '?([\w.]+)'?[^>]*>", r"\1", str(value))
    return re.sub(r"\b(?:automl|typing|collections|pathlib|torch)(?:\.\w+)*\.(?=[A-Z])", "", text)


def _code(text: str) -> str:
    if len(text) > 100:
        opening, _, rest = text.partition("(")
        inside, closing, after = rest.rpartition(")")
        text = f"{opening}(\n    " + ",\n    ".join(_split(inside)) + f",\n{closing}{after}"
    return f"```python\n{text}\n```"


def _split(text: str) -> list[str]:
    """Return the parameters of a signature, split at commas outside brackets."""
    parts, depth, start = [], 0, 0
    for index, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and not depth:
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def _options(component: type[Component]) -> str:
    rows = option_rows(component)
    return _table(("option", "type", "default", "what it does"), rows) if rows else "It has no options."


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [[f"`{first}`", *(_cell(each) for each in rest)] for first, *rest in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in [list(header), ["---"] * len(header), *lines])


def _cell(text: str) -> str:
    return re.sub(r"([|<*])", r"\\\1", text) if "`" not in text else text.replace("|", "\\|")


def _docstring(value: object) -> str:
    """Return a Google docstring as Markdown: its sections as lists, its doctests as code."""
    lines = (inspect.getdoc(value) or "").replace("``", "`").splitlines()
    written: list[str] = []
    section = is_code = False
    for line in lines:
        if is_code and not line.strip():
            written.append("```")
            is_code = False
        if not is_code and line.lstrip().startswith(">>>"):
            written += ["", "```python"]
            is_code = True
        if is_code:
            written.append(line.strip() if section else line)
        elif match := _SECTION.match(line):
            section = True
            written += ["", f"**{match[1]}**", ""]
        elif section and re.match(r"^ {4}\S", line):
            written.append(
                re.sub(r"^ {4}([\w *`,.\[\]]+?): ", r"- `\1`: ", line) if ": " in line else f"- {line.strip()}"
            )
        elif section and line.startswith("     "):
            written.append("    " + line.strip())
        else:
            section = section and not line.strip()
            written.append(line)
    return "\n".join([*written, "```"] if is_code else written)
