"""Hook specifications: how a plugin registers its components.

A plugin is a module with functions marked ``@hookimpl``, one per kind of component, each of which calls

    register("name", "package.module:Class", summary="One line for `automl list`.")

The target is imported only when used, so registering costs nothing. In a plugin of one file, where everything is
imported anyway, a class may be marked with `component` instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

import pluggy

PROJECT = "automl"
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


C = TypeVar("C", bound=type)
_MARK = "__automl_component__"


@dataclass(frozen=True, slots=True)
class Mark:
    """What `component` writes on a class."""

    name: str
    summary: str


def component(name: str, *, summary: str) -> Callable[[C], C]:
    """Return a decorator that registers a class of this module under ``name``; its kind is that of its base class.

    >>> @component("mine", summary="My own.")
    ... class Mine: ...
    >>> mark_of(Mine).name
    'mine'
    """

    def mark(found: C) -> C:
        setattr(found, _MARK, Mark(name, summary))
        return found

    return mark


def mark_of(found: object) -> Mark | None:
    """Return what `component` wrote on a class itself, and not on one that it derives from."""
    mark = vars(found).get(_MARK) if isinstance(found, type) else None
    return mark if isinstance(mark, Mark) else None


class Register(Protocol):
    """What a registration hook is handed."""

    def __call__(self, name: str, target: str, *, summary: str) -> None:
        """Register a component under the name that the user types."""


class Hooks:
    """The hooks of plugin API version 1.

    A module may state the version it was written for as ``AUTOML_API_VERSION``.
    """

    @hookspec
    def register_spaces(self, register: Register) -> None:
        """Register search spaces (`automl.SearchSpace`)."""

    @hookspec
    def register_strategies(self, register: Register) -> None:
        """Register search strategies (`automl.Strategy`)."""

    @hookspec
    def register_evaluators(self, register: Register) -> None:
        """Register evaluators (`automl.Evaluator`)."""

    @hookspec
    def register_proxies(self, register: Register) -> None:
        """Register proxies (`automl.Proxy`), which score a network without training it."""

    @hookspec
    def register_aggregators(self, register: Register) -> None:
        """Register aggregators (`automl.Aggregator`), which make one score of several over a population."""

    @hookspec
    def register_tasks(self, register: Register) -> None:
        """Register tasks (`automl.Task`)."""

    @hookspec
    def register_executors(self, register: Register) -> None:
        """Register executors (`automl.Executor`)."""

    @hookspec
    def register_trackers(self, register: Register) -> None:
        """Register trackers (`automl.Tracker`), which follow a study through its life."""

    @hookspec
    def register_data(self, register: Register) -> None:
        """Register data sources (`automl.DataSource`): benchmark tables and data sets that live outside the package."""

    @hookspec
    def register_analyses(self, register: Register) -> None:
        """Register analyses (`automl.Analysis`): computations without trials that reproduce published figures."""

    @hookspec
    def register_catalogues(self, register: Register) -> None:
        """Register catalogues (`automl.Catalogue`): named things to list and describe, that options choose from."""

    @hookspec
    def register_exporters(self, register: Register) -> None:
        """Register exporters (`automl.Exporter`), which write trained networks in formats that work elsewhere."""
