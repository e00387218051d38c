"""What `automl plugin check` does and prints."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from automl.certification.certify import TIMEOUT, Certificate, certify
from automl.certification.source import Mistake, mistake_of_plugin
from automl.cli._draft import value_of
from automl.cli._output import console, plural, print_json
from automl.errors import ExitCode, PluginError, UsageError, unknown_name
from automl.plugins import BUNDLED, KINDS, BrokenPlugin, Registration, registry, use_file


def check_and_say(names: Sequence[str], settings: Sequence[str], *, timeout: float | None, as_json: bool) -> None:
    """Check what ``names`` says and print it; ends with exit code 4 if something is wrong."""
    components, broken = _chosen(names)
    options = _options(settings, components)
    found: list[Certificate] = []
    if not as_json:
        _say_broken(broken)
    for one in components:
        if not as_json:
            print(f"checking {one.kind} {one.name} ...", file=sys.stderr)
        found.append(certify(one, options.get(one.name, {}), timeout=timeout or TIMEOUT))
        if not as_json:
            _say(found[-1])
    if as_json:
        left_out = [{"plugin": each.plugin, "error": each.error} for each in broken]
        print_json({"components": [one.to_json() for one in found], "broken": left_out})
    elif not components and not broken:
        console().print("there is no plugin but the bundled ones; `automl plugin new` writes one", soft_wrap=True)
    wrong = sum(not one.is_sound for one in found)
    if wrong or broken:
        raise typer.Exit(ExitCode.CONFIGURATION)


def _chosen(names: Sequence[str]) -> tuple[list[Registration], list[BrokenPlugin]]:
    """Return the components to check, and the broken plugins that were meant."""
    components: dict[tuple[str, str], Registration] = {}
    broken: list[BrokenPlugin] = []
    for name in names:
        is_file = name.endswith(".py") or "/" in name
        chosen, left_out = _of_file(name) if is_file else _of_name(name)
        components.update({(one.kind, one.name): one for one in chosen})
        broken += left_out
    if not names:
        found = registry()
        components = {key: one for key, one in found.components.items() if one.plugin not in BUNDLED}
        broken = found.broken
    return list(components.values()), broken


def _of_file(name: str) -> tuple[list[Registration], list[BrokenPlugin]]:
    """Load a plugin file; one that cannot be loaded is a broken plugin."""
    try:
        file = use_file(Path(name))
    except PluginError as error:
        return [], [BrokenPlugin(Path(name).name, name, "", str(error))]
    return [one for one in registry().components.values() if one.plugin == file.path.name], []


def _of_name(name: str) -> tuple[list[Registration], list[BrokenPlugin]]:
    from automl.cli._kinds import kind_of_class

    found = registry()
    if ":" in name:
        return [found.find(kind_of_class(name), name)], []
    broken = [one for one in found.broken if name in (one.plugin, one.distribution)]
    whole = [one for one in found.components.values() if name in (one.plugin, one.distribution)]
    single = [one for (_, known), one in found.components.items() if known == name]
    if not (broken or whole or single):
        plugins = {one.plugin for one in found.plugins} | {one.plugin for one in found.broken}
        near = difflib.get_close_matches(name, sorted({called for _, called in found.components}), n=1, cutoff=0.5)
        hint = f"; is it the component {near[0]!r}?" if near else ""
        message = unknown_name(
            "plugin", name, plugins | {one.distribution for one in found.plugins}, "automl plugin list"
        )
        raise UsageError(f"{message}{hint}")
    return (whole or single), broken


def _options(settings: Sequence[str], components: Sequence[Registration]) -> dict[str, dict[str, Any]]:
    """Return what ``--set NAME.OPTION=VALUE`` says, by component."""
    names = {one.name for one in components}
    found: dict[str, dict[str, Any]] = {}
    for text in settings:
        place, equals, raw = text.partition("=")
        name, dot, option = place.strip().rpartition(".")
        if not equals or not dot:
            raise UsageError(f"--set {text}: write it as COMPONENT.OPTION=VALUE, as {next(iter(names), 'mine')}.size=5")
        if name not in names:
            raise UsageError(f"--set {text}: " + unknown_name("component of this check", name, names))
        found.setdefault(name, {})[option] = value_of(raw, place)
    return found


def _say_broken(broken: Sequence[BrokenPlugin]) -> None:
    out = console()
    for one in broken:
        out.print(f"plugin {one.plugin}: it was left out", soft_wrap=True)
        _say_mistake(out, mistake_of_plugin(one))


def _say(found: Certificate) -> None:
    one, out = found.registration, console()
    counts = f"{plural(found.passed, 'test')} passed" if found.passed or found.skipped else "there is no suite to run"
    if one.kind in KINDS and found.skipped:
        counts += f", {found.skipped} not for it"
    verdict = "sound" if found.is_sound else plural(len(found.mistakes), "mistake")
    out.print(f"{one.kind} {one.name}: {verdict} ({counts})", soft_wrap=True)
    for mistake in found.mistakes:
        _say_mistake(out, mistake)


def _say_mistake(out: Console, mistake: Mistake) -> None:
    out.print()
    out.print(f"  {mistake.mistake}", soft_wrap=True)
    lines = {"rule": mistake.rule, "found": mistake.found, "at": mistake.place, "mend": mistake.mend}
    if mistake.tests:
        names = list(dict.fromkeys(test.partition("[")[0] for test in mistake.tests))
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        lines["seen"] = f"in {shown}"
    for word, text in lines.items():
        if text:
            out.print(f"    {word:<6}{text}", soft_wrap=True)
    out.print()
