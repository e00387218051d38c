"""What is wrong with a plugin before anything of it runs: registration, classes, imports, documentation."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from automl.options import Component
from automl.plugins import KINDS, BrokenPlugin, Kind, Registration, isolated, load_target

_PUBLIC = ("automl", "automl.testing")
_SUMMARY = 100
_REASONS: tuple[tuple[str, str, str], ...] = (
    ("SyntaxError|IndentationError", "it is no valid Python", "Mend the line that is named."),
    (
        "ModuleNotFoundError|ImportError",
        "it cannot be imported",
        "Install what is missing, name it in `dependencies`, or mend the import.",
    ),
    (
        "already registered",
        "its name is taken",
        "Call it something else; `automl list` shows the names that there are.",
    ),
    ("must be lower-case", "its name cannot be typed", "Use lower-case letters, digits and underscores."),
    (
        "'package.module:Class'",
        "a target names no class",
        "Write the target as 'package.module:Class', as in 'my_plugin.climber:Climber'.",
    ),
    ("missing 1 required keyword-only argument: 'summary'", "a summary is missing", 'Add summary="One line.".'),
    (
        "plugin API",
        "it was written for another plugin API",
        "Install the version that fits, or set AUTOML_API_VERSION after you have looked what changed.",
    ),
    (
        "registers nothing",
        "it registers nothing",
        "Mark functions with @automl.hookimpl, or classes with @automl.component.",
    ),
    (
        "PluginValidationError|unknown hook",
        "a hook has the wrong name or arguments",
        "The hooks are `register_strategies(register)` and so on: see docs/plugins.md.",
    ),
    (
        "derives from none",
        "a class has the wrong base class",
        "Derive it from the class of its kind, as automl.Strategy.",
    ),
)


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong: in short, the rule that it breaks, what was found and where, and how to mend it."""

    mistake: str
    rule: str
    found: str
    mend: str
    place: str = ""
    tests: tuple[str, ...] = ()


def mistake_of_plugin(broken: BrokenPlugin) -> Mistake:
    """Return why a plugin was left out, in words.

    >>> mistake_of_plugin(BrokenPlugin("mine", "mine", "1", "ModuleNotFoundError: No module named 'x'")).mistake
    'it cannot be imported'
    """
    rule = "A plugin can be imported and registers components under names that are free."
    for pattern, mistake, mend in _REASONS:
        if re.search(pattern, broken.error):
            return Mistake(mistake, rule, broken.error, mend)
    mend = "AUTOML_STRICT_PLUGINS=1 `automl list` shows the traceback."
    return Mistake("it raises while it registers", rule, broken.error, mend)


def mistakes_of_source(registration: Registration) -> list[Mistake]:
    """Return what is wrong with a component as it is written; an empty list if its suite can run."""
    found = [*_of_summary(registration)]
    component = isolated(lambda: load_target(registration.target))
    if isinstance(component, Exception):
        text = f"{type(component).__name__}: {component}"
        mend = "Mend the target or the import; the target is 'package.module:Class'."
        return [*found, Mistake("its class cannot be imported", "Registered classes are there.", text, mend)]
    base = load_target(KINDS[registration.kind][1])
    if not (isinstance(component, type) and issubclass(component, base)):
        bases = ", ".join(one.__name__ for one in getattr(component, "__bases__", ())) or type(component).__name__
        mend = f"Derive it from automl.{base.__name__}, or register it with another hook."
        rule = f"A {registration.kind} is a subclass of automl.{base.__name__}."
        return [
            *found,
            Mistake("it has the wrong base class", rule, f"{registration.target} derives from {bases}", mend),
        ]
    return [*found, *_of_class(component), *_of_imports(component)]


def is_runnable(component: type[Component], kind: Kind) -> bool:
    """Return whether an instance of the class can be made at all."""
    return issubclass(component, load_target(KINDS[kind][1])) and not inspect.isabstract(component)


def _of_summary(registration: Registration) -> Iterator[Mistake]:
    text, rule = registration.summary, "A component has a summary of one line, which `automl list` shows."
    if not text.strip():
        yield Mistake("a summary is missing", rule, "it is empty", 'Add summary="What it does, in one line."')
    elif "\n" in text or len(text) > _SUMMARY:
        yield Mistake(
            "its summary is no single line", rule, f"{len(text)} characters", f"Say it in {_SUMMARY} characters."
        )


def _of_class(component: type[Component]) -> Iterator[Mistake]:
    missing = sorted(getattr(component, "__abstractmethods__", ()))
    if missing:
        rule = "A component has all methods of its contract."
        mend = f"Write them; the docstrings of automl.{_contract(component)} say what they do."
        yield Mistake("a method is missing", rule, ", ".join(missing), mend)
    if not (component.__dict__.get("__doc__") or "").strip():
        mend = "Say in a docstring what the method is; `automl describe` prints it."
        yield Mistake("its class has no docstring", "A component is documented.", component.__name__, mend)
    for option, field in component.Options.model_fields.items():
        if not field.description:
            mend = "Write a docstring below the field; `automl describe` prints it."
            yield Mistake("an option is not documented", "Options are documented.", option, mend)


def _contract(component: type[Component]) -> str:
    return next((base.__name__ for base in component.__mro__ if base.__module__.startswith("automl.")), "Component")


def _of_imports(component: type[Component]) -> Iterator[Mistake]:
    """Say where the module of a class goes past the public door."""
    source = inspect.getsourcefile(component)
    if source is None or component.__module__.startswith(("automl.", "automl_plugins.", "automl_spaces.")):
        return
    for node in ast.walk(ast.parse(Path(source).read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            if name.partition(".")[0] == "automl" and name not in _PUBLIC:
                rule = "A plugin imports what automl/__init__.py exports, which is a promise, and nothing deeper."
                place = f"{Path(source).name}, line {getattr(node, 'lineno', 0)}"
                yield Mistake(
                    "it imports what is not public", rule, name, "Import the name from `automl` itself.", place
                )
