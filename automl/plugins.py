"""Finding plugins, and the components they register.

A plugin that cannot be imported, raises while registering, registers something malformed or clashes with another is
left out as a whole and named with its distribution, version and error; the rest works.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeAlias, TypeVar

import pluggy

from automl.errors import AutomlError, ConfigurationError, PluginError, unknown_name
from automl.hooks import API_VERSION, PROJECT, Hooks, mark_of
from automl.plugin_files import PluginFile, named_in, place_of
from automl.version import __version__

Kind: TypeAlias = Literal[
    "space",
    "strategy",
    "evaluator",
    "proxy",
    "aggregator",
    "task",
    "executor",
    "tracker",
    "data",
    "analysis",
    "catalogue",
    "exporter",
]
R = TypeVar("R")

BUNDLED = ("automl_plugins.plugin", "automl_spaces.plugin")
ENTRY_POINT_GROUP = "automl"
KINDS: Mapping[Kind, tuple[str, str]] = {
    "space": ("register_spaces", "automl.space:SearchSpace"),
    "strategy": ("register_strategies", "automl.strategy:Strategy"),
    "evaluator": ("register_evaluators", "automl.evaluator:Evaluator"),
    "proxy": ("register_proxies", "automl.proxies.proxy:Proxy"),
    "aggregator": ("register_aggregators", "automl.proxies.aggregator:Aggregator"),
    "task": ("register_tasks", "automl.task:Task"),
    "executor": ("register_executors", "automl.executor:Executor"),
    "tracker": ("register_trackers", "automl.tracker:Tracker"),
    "data": ("register_data", "automl.data:DataSource"),
    "analysis": ("register_analyses", "automl.analysis:Analysis"),
    "catalogue": ("register_catalogues", "automl.catalogue:Catalogue"),
    "exporter": ("register_exporters", "automl.exporter:Exporter"),
}
_KIND_NAMES = {"space": "search space", "data": "data source"}
_DIRECT = "direct"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")

log = logging.getLogger("automl")


@dataclass(frozen=True, slots=True)
class Registration:
    """One component: its kind, name and target, and the plugin, distribution and version it came with."""

    kind: Kind
    name: str
    target: str
    summary: str
    plugin: str
    distribution: str
    version: str


@dataclass(frozen=True, slots=True)
class BrokenPlugin:
    """A plugin that was left out, and why."""

    plugin: str
    distribution: str
    version: str
    error: str


@dataclass(frozen=True, slots=True)
class LoadedPlugin:
    """A plugin that was loaded: its distribution and version, the plugin API it was written for, and where it lies."""

    plugin: str
    distribution: str
    version: str
    api_version: int
    location: str


@dataclass
class Registry:
    """All registered components, the plugins that they came with, and those that were left out.

    ``files`` are the single files among the plugins, by the name of their module.
    """

    components: dict[tuple[Kind, str], Registration] = field(default_factory=dict)
    broken: list[BrokenPlugin] = field(default_factory=list)
    plugins: list[LoadedPlugin] = field(default_factory=list)
    files: dict[str, PluginFile] = field(default_factory=dict)

    def names(self, kind: Kind) -> list[str]:
        """Return the names of one kind, sorted."""
        return sorted(name for found, name in self.components if found == kind)

    def find(self, kind: Kind, name: str) -> Registration:
        """Return the registration of ``name``, or of ``package.module:Class`` as it stands.

        Raises:
            ConfigurationError: the name is unknown; says the nearest one.
        """
        if _TARGET.fullmatch(name):
            return Registration(kind, name, name, "", _DIRECT, name.split(".")[0].split(":")[0], "")
        if (kind, name) not in self.components:
            what = _KIND_NAMES.get(kind, kind)
            left_out = "".join(f"\n  plugin {b.plugin!r} was left out: {b.error}" for b in self.broken)
            message = unknown_name(what, name, self.names(kind), "automl list") + self.elsewhere(name)
            raise ConfigurationError(message + left_out)
        return self.components[kind, name]

    def add_file(self, path: Path) -> PluginFile:
        """Load a single file as a plugin, unless it is loaded already.

        Raises:
            UsageError: there is no such file.
            PluginError: it cannot be imported, registers nothing or something malformed, or clashes with another.
        """
        file = PluginFile.at(path)
        known = self.files.get(file.module)
        if known == file:
            return file
        if known is not None:
            what = "it has changed" if known.path == file.path else f"{known.path} has the same name"
            raise PluginError(f"--plugin {path}: {what} since this program started; start it again")
        load = functools.partial(_from_module, file.path.name, file.path.name, file.digest, file.load, self)
        found = isolated(load)
        if isinstance(found, Exception):
            if os.environ.get("AUTOML_STRICT_PLUGINS") == "1":
                raise found
            raise PluginError(f"--plugin {path}{place_of(found, file.path)}: {_line(found)}") from found
        self._take(found)
        self.files[file.module] = file
        return file

    def _take(self, found: tuple[LoadedPlugin, dict[tuple[Kind, str], Registration]]) -> None:
        self.plugins.append(found[0])
        self.components.update(found[1])

    def elsewhere(self, name: str) -> str:
        """Return the line that says what else has this name, for a message that it is unknown; empty if nothing has."""
        kinds = [kind for kind, known in self.components if known == name]
        return f"\n  {name!r} is the name of a {kinds[0]} (see `automl describe {kinds[0]} {name}`)" if kinds else ""

    def load(self, kind: Kind, name: str) -> Any:
        """Import and return the component class.

        Raises:
            PluginError: the target cannot be imported, or is not a class of its kind.
        """
        registration = self.find(kind, name)
        found = isolated(lambda: load_target(registration.target))
        if isinstance(found, Exception):
            if os.environ.get("AUTOML_STRICT_PLUGINS") == "1":
                raise found
            raise PluginError(f"{kind} {_origin(registration)}: {_line(found)}{import_advice(found, name)}") from found
        base = load_target(KINDS[kind][1])
        if not (isinstance(found, type) and issubclass(found, base)):
            raise PluginError(f"{kind} {name!r}: {registration.target} is not a subclass of automl.{base.__name__}")
        return found


def _origin(registration: Registration) -> str:
    if registration.plugin == _DIRECT:
        return f"{registration.name!r} cannot be imported"
    return f"{registration.name!r} of {registration.distribution} cannot be imported from {registration.target}"


def import_advice(error: Exception, target: str) -> str:
    """Return what to do about a target whose very module is not found, else nothing."""
    is_nowhere = isinstance(error, ModuleNotFoundError) and error.name == target.partition(":")[0].partition(".")[0]
    return "; Python looks in the current folder, on PYTHONPATH, and at what is installed" if is_nowhere else ""


def isolated(call: Callable[[], R]) -> R | Exception:
    """Call foreign code and return its result, or the exception it raised.

    This is the one place where a plugin's exceptions of any class are caught; the caller records them.
    """
    try:
        return call()
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything, and must not take the rest with it
        return error


def load_target(target: str) -> Any:
    """Return the object that ``package.module:Class`` names."""
    module, _, path = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    return found


@functools.cache
def registry() -> Registry:
    """Return the process's registry, made on first use from the bundled plugins and the installed entry points."""
    return load_plugins()


def use_file(path: Path) -> PluginFile:
    """Load a single file as a plugin of this process, and of those that it starts; raises as `Registry.add_file`."""
    file = registry().add_file(path)
    file.announce()
    return file


def load_plugins(
    bundled: tuple[str, ...] = BUNDLED,
    *,
    environment: Mapping[str, str] = os.environ,
) -> Registry:
    """Load the bundled plugin modules and every entry point of group ``automl``.

    ``AUTOML_LOAD_PLUGINS`` narrows the entry points to a comma-separated list of names, or none when it is empty;
    ``AUTOML_STRICT_PLUGINS=1`` re-raises the first error. ``AUTOML_PLUGIN_FILES`` names single files, which a process
    that started this one has loaded.
    """
    found = Registry()
    strict = environment.get("AUTOML_STRICT_PLUGINS") == "1"
    for name in bundled:
        _add(found, name, "automl-engine", __version__, functools.partial(importlib.import_module, name), strict)
    wanted = environment.get("AUTOML_LOAD_PLUGINS")
    names = None if wanted is None else {name.strip() for name in wanted.split(",") if name.strip()}
    points = sorted({(p.name, p.value): p for p in entry_points(group=ENTRY_POINT_GROUP)}.values(), key=_order)
    for point in points:
        if names is None or point.name in names:
            distribution = point.dist.name if point.dist else "unknown"
            version = point.dist.version if point.dist else "unknown"
            _add(found, point.name, distribution, version, point.load, strict)
    for path in named_in(environment):
        added = isolated(functools.partial(found.add_file, path))
        if isinstance(added, Exception):
            if strict:
                raise added
            found.broken.append(BrokenPlugin(path.name, path.name, "", _line(added)))
    return found


def _order(point: EntryPoint) -> tuple[str, str]:
    return point.name, point.value


def _add(target: Registry, plugin: str, distribution: str, version: str, load: Callable[[], Any], strict: bool) -> None:
    result = isolated(lambda: _from_module(plugin, distribution, version, load, target))
    if not isinstance(result, Exception):
        target._take(result)
        return
    if strict:
        raise result
    target.broken.append(BrokenPlugin(plugin, distribution, version, _line(result)))
    log.debug("plugin %s was left out", plugin, exc_info=result)


def _from_module(
    plugin: str, distribution: str, version: str, load: Callable[[], ModuleType], known: Registry
) -> tuple[LoadedPlugin, dict[tuple[Kind, str], Registration]]:
    """Load a plugin and return what it is and what it registers; nothing is added to ``known``."""
    module = load()
    found = _registrations(plugin, distribution, version, module, known)
    location = getattr(module, "__file__", None) or ""
    written_for = getattr(module, "AUTOML_API_VERSION", API_VERSION)
    return LoadedPlugin(plugin, distribution, version, written_for, location), found


def _registrations(
    plugin: str, distribution: str, version: str, module: ModuleType, known: Registry
) -> dict[tuple[Kind, str], Registration]:
    written_for = getattr(module, "AUTOML_API_VERSION", API_VERSION)
    if written_for != API_VERSION:
        raise PluginError(f"it was written for plugin API {written_for}, and this program has {API_VERSION}")
    hooks = pluggy.PluginManager(PROJECT)
    hooks.add_hookspecs(Hooks)
    hooks.register(module, name=plugin)
    hooks.check_pending()
    found: dict[tuple[Kind, str], Registration] = {}
    for kind, (hook, _) in KINDS.items():

        def register(name: str, target: str, *, summary: str, kind: Kind = kind) -> None:
            _check(kind, name, target, found, known)
            found[kind, name] = Registration(kind, name, target, summary, plugin, distribution, version)

        getattr(hooks.hook, hook)(register=register)
    for kind, name, target, summary in _marked(module):
        _check(kind, name, target, found, known)
        found[kind, name] = Registration(kind, name, target, summary, plugin, distribution, version)
    if not found:
        raise PluginError(
            "it registers nothing; does it mark its functions with @automl.hookimpl, or its classes with "
            '@automl.component("name", summary="...")?'
        )
    return found


def _marked(module: ModuleType) -> Iterator[tuple[Kind, str, str, str]]:
    """Yield kind, name, target and summary of the classes of a module that are marked with `automl.component`."""
    for found in list(vars(module).values()):
        mark = mark_of(found)
        if mark is None or found.__module__ != module.__name__:
            continue
        kind = next((kind for kind in KINDS if kind == getattr(found, "kind", None)), None)
        if kind is None:
            raise PluginError(
                f"class {found.__name__} is marked with @automl.component, but derives from none of automl's "
                "contracts, as automl.Strategy is one"
            )
        yield kind, mark.name, f"{module.__name__}:{found.__qualname__}", mark.summary


def _check(kind: Kind, name: str, target: str, found: Mapping[tuple[Kind, str], Registration], known: Registry) -> None:
    if not _NAME.fullmatch(name):
        raise PluginError(f"{kind} name {name!r} must be lower-case letters, digits and underscores")
    if not _TARGET.fullmatch(target):
        raise PluginError(f"target {target!r} of {kind} {name!r} must look like 'package.module:Class'")
    earlier = found.get((kind, name)) or known.components.get((kind, name))
    if earlier:
        raise PluginError(f"{kind} {name!r} is already registered by {earlier.distribution} ({earlier.plugin})")


def _line(error: Exception) -> str:
    text = (str(error).strip().splitlines() or [""])[0]
    return text if isinstance(error, AutomlError) else f"{type(error).__name__}: {text}"
