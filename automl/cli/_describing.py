"""What `automl describe` prints."""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from automl.cli._output import console, table
from automl.correlation.definition import PROXIES
from automl.definition import ComponentSpec
from automl.errors import TaskError
from automl.evaluator import Evaluator, Metric
from automl.options import BaseOptions, Component, shared_fields
from automl.plugins import Kind, isolated, registry
from automl.space import SearchSpace
from automl.task import Split, SplitName, Task, TaskKind

if TYPE_CHECKING:
    from automl.proxies.proxy import Proxy

_NORMALISATION = {
    "batch": "statistics of the batch",
    "frozen": "statistics fixed by one pass over the batch",
    "none": "plays no part",
}
_BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "min_length": "length ≥", "max_length": "length ≤"}


def print_component(kind: Kind, name: str) -> None:
    """Print one component; raises `ConfigurationError` when there is none of that name, or it cannot be imported."""
    registration = registry().find(kind, name)
    component: type[Component] = registry().load(kind, name)
    out = console()
    out.print(f"{kind} {name}   {registration.target}", soft_wrap=True)
    out.print(f"from {registration.distribution} {registration.version}".rstrip(), soft_wrap=True)
    out.print()
    out.print(_prose(component), soft_wrap=True)
    if component.paper:
        out.print(f"\nPaper: {component.paper}", soft_wrap=True)
    rows = option_rows(component)
    out.print()
    out.print(table("Options", ["option", "type", "default", "what it does"], rows) if rows else "It has no options.")
    if issubclass(component, Evaluator):
        _print_metrics(component)
    if issubclass(component, SearchSpace):
        _print_names(component)
        _print_variants(component)
    if kind == "proxy":
        _print_proxy(registry().load(kind, name), name)


def option_rows(component: type[Component]) -> list[list[str]]:
    """Return name, type, default and meaning of every option, the shared ones last."""
    fields = {**component.Options.model_fields, **shared_fields(component)}
    return [
        [option, type_text(field), default_text(field), _one_line(field.description)]
        for option, field in fields.items()
    ]


def metric_rows(component: type[Evaluator]) -> list[list[str]]:
    """Return name, better direction, unit and meaning of every metric; none where they depend on the task."""
    found: dict[str, tuple[Metric, list[str]]] = {}
    for task_kind in ("classification", "regression"):
        for metric in _metrics(component, task_kind):
            found.setdefault(metric.name, (metric, []))[1].append(task_kind)
    return [
        [metric.name, metric.direction, metric.unit, metric.doc + ("" if len(on) == 2 else f" (only in {on[0]})")]
        for metric, on in found.values()
    ]


def _one_line(text: str | None) -> str:
    """Return a docstring as one line: where its lines end in the source means nothing in a column of a table."""
    return " ".join((text or "").replace("``", "`").split())


def _prose(component: type[Component]) -> str:
    text = inspect.getdoc(component) or ""
    return text.partition("\n>>>")[0].strip().replace("``", "`")


def _print_metrics(component: type[Evaluator]) -> None:
    out = console()
    out.print()
    rows = metric_rows(component)
    out.print(
        table("Metrics", ["metric", "better", "unit", "what it is"], rows)
        if rows
        else "Its metrics depend on the task."
    )


def _print_names(component: type[SearchSpace[Any]]) -> None:
    """Print the well-known architectures of a space with its default options, if it has them and needs no others."""
    listed = isolated(lambda: _named(component(component.Options())))
    if isinstance(listed, Exception) or not listed:
        return
    out = console()
    out.print()
    out.print(table("Architectures with a name", ["name", "what it is"], listed))
    example = ", ".join(f'"{name}"' for name, _ in listed[:2])
    out.print(f"\nBegin a search with them: --set 'strategy.start=[{example}]'", soft_wrap=True)


def _print_variants(component: type[SearchSpace[Any]]) -> None:
    """Print the variants of a space with its default options, if it has them and needs no others."""
    variants = isolated(lambda: component(component.Options()).variants)
    if isinstance(variants, Exception) or not variants:
        return
    out = console()
    out.print(f"\nVariants: {', '.join(variants)}", soft_wrap=True)
    out.print("Evaluate in several of them: --set 'train.variants=all', or a list", soft_wrap=True)


def _named(space: SearchSpace[Any]) -> list[list[str]]:
    return [[name, space.title(space.blueprint(space.named(name)))] for name in space.names]


def _print_proxy(component: type[Proxy], name: str) -> None:
    """Print the metrics of a proxy, what it is made for and how to have it measured."""
    from automl.proxies.proxy import ALL_INPUTS

    out = console()
    out.print()
    rows = [[metric.name, metric.direction, metric.unit, metric.doc] for metric in component.declared]
    out.print(table("Metrics", ["metric", "better", "unit", "what it is"], rows))
    out.print()
    inputs = ["inputs of any kind"] if component.accepts == ALL_INPUTS else sorted(component.accepts)
    needs = {"targets": component.needs_targets, "double backward": component.needs_double_backward}
    lines = {
        "made for": ", ".join([*inputs, *sorted(component.problems or ())]),
        "needs": ", ".join(what for what, is_needed in needs.items() if is_needed) or "nothing but inputs",
        "batch normalisation": _NORMALISATION[component.bn_mode],
        "measured with": f"--evaluator {PROXIES} --set {PROXIES}.proxies={name}",
        **({"with options": _with_option(component, name)} if component.Options.model_fields else {}),
    }
    if component.population:
        lines["one score"] = f"over a population, by the aggregator {component.population}"
    for what, found in lines.items():
        out.print(f"{what:<21}{found}", soft_wrap=True)


def _with_option(component: type[Proxy], name: str) -> str:
    """Return how the first option is set on the command line."""
    option, field = next(iter(component.Options.model_fields.items()))
    value = default_text(field)
    shown = value if isinstance(field.default, bool | int | float) else f'"{value}"'
    return f"""--set '{PROXIES}.proxies=[{{name="{name}",{option}={shown}}}]'"""


def _metrics(component: type[Evaluator], task_kind: TaskKind) -> Sequence[Metric]:
    """Return what the evaluator declares for a task of one kind, if it tells without real options and real data."""
    declared = isolated(lambda: component(component.Options()).metrics(_AnyTask(task_kind)))
    return () if isinstance(declared, Exception) else declared


class _AnyTask(Task):
    """A task without data, for asking an evaluator what it reports."""

    input_shape = (1, 8, 8)
    output_size = 1

    def __init__(self, task_kind: TaskKind) -> None:
        super().__init__()
        self._task_kind = task_kind

    @property
    def task_kind(self) -> TaskKind:
        return self._task_kind

    def load(self, split: SplitName) -> Split:
        raise TaskError(f"there is no data to describe, and so no {split} split")

    def digest(self) -> str:
        return ""


def type_text(field: FieldInfo) -> str:
    """Return the type of an option, with its bounds: ``int ≥ 1``, ``relu | gelu``, ``str, ...``."""
    return f"{_annotation_text(field.annotation)} {_bounds(field.metadata)}".strip()


def _annotation_text(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return f"{_annotation_text(arguments[0])} {_bounds(arguments[1:])}".strip()
    if origin is Literal:
        return " | ".join(str(value) for value in arguments)
    if origin in (Union, types.UnionType):
        return " | ".join(_annotation_text(part) for part in arguments)
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return f"list of {_annotation_text(arguments[0])}"
    if annotation is type(None):
        return "none"
    if origin is dict:
        return "table"
    if annotation is ComponentSpec:
        return "component"
    if origin is not None:
        inner = ", ".join(_annotation_text(part) for part in arguments)
        return f"{getattr(origin, '__name__', origin)}[{inner}]"
    return str(getattr(annotation, "__name__", annotation))


def _bounds(metadata: Iterable[Any]) -> str:
    return ", ".join(
        f"{sign} {value:g}" if isinstance(value, float) else f"{sign} {value}"
        for constraint in metadata
        for part in getattr(constraint, "metadata", [constraint])
        for name, sign in _BOUNDS.items()
        if (value := getattr(part, name, None)) is not None
    )


def default_text(field: FieldInfo) -> str:
    """Return the default as it would be written in a study file; ``required`` if there is none."""
    if field.is_required():
        return "required"
    if field.default_factory is not None:
        return "derived"
    value = field.get_default()
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, ComponentSpec):
        return value.name if not value.options else str(value)
    if value == "":
        return '""'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(each.name if isinstance(each, ComponentSpec) else str(each) for each in value) + "]"
    if isinstance(value, BaseOptions):
        return "its defaults"
    return str(value)
