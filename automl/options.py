"""Components and their options.

Options are pydantic models: frozen, unknown names forbidden, every field documented, so that `automl describe` prints
them and `--set` is checked before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from automl.errors import ConfigurationError, unknown_name


class BaseOptions(BaseModel):
    """Base class of every component's options.

    >>> class Tournament(BaseOptions):
    ...     size: int = 5
    >>> Tournament(size="7").size
    7
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_default=True)


class Component:
    """Anything that a study names and configures: a space, strategy, evaluator, task, executor or tracker.

    ``paper`` cites the source of the method. ``SharedOptions`` are options that every component of the kind has beside
    its own, and that the core itself acts on; one of a component's own that has the same name takes its place.
    """

    kind: ClassVar[str] = "component"
    paper: ClassVar[str] = ""
    Options: ClassVar[type[BaseOptions]] = BaseOptions
    SharedOptions: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options


class OptionError(ConfigurationError):
    """An option of a component is unknown or has a bad value; ``option`` is the first one that is."""

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


def parse_options(component: type[Component], name: str, values: Mapping[str, Any]) -> BaseOptions:
    """Return the validated options of ``component``, without the shared ones, which are checked, too.

    Raises:
        OptionError: an option is unknown or has a bad value; the message names ``name.option``.
    """
    parse_shared_options(component, name, values)
    shared = shared_fields(component)
    own = {option: value for option, value in values.items() if option not in shared}
    return _validated(component, component.Options, name, own)


def parse_shared_options(component: type[Component], name: str, values: Mapping[str, Any]) -> BaseOptions:
    """Return the validated options that ``component`` shares with all of its kind; raises as `parse_options`."""
    shared = shared_fields(component)
    chosen = {option: value for option, value in values.items() if option in shared}
    return _validated(component, component.SharedOptions, name, chosen)


def shared_fields(component: type[Component]) -> dict[str, FieldInfo]:
    """Return the options that ``component`` shares with all of its kind, without those that its own stand in for."""
    own = component.Options.model_fields
    return {option: field for option, field in component.SharedOptions.model_fields.items() if option not in own}


def _validated(
    component: type[Component], options: type[BaseOptions], name: str, values: Mapping[str, Any]
) -> BaseOptions:
    try:
        return options.model_validate(dict(values))
    except ValidationError as invalid:
        raise _option_error(component, name, invalid) from None


def _option_error(component: type[Component], name: str, invalid: ValidationError) -> OptionError:
    first = invalid.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = [*component.Options.model_fields, *shared_fields(component)]
        message = unknown_name(f"option of {name}", where, known, f"automl describe {component.kind} {name}")
    else:
        text = str(first["msg"]).removeprefix("Value error, ")
        place = f"`{name}.{where}`" if where else f"`{name}`"
        found = f", but got {first['input']!r}" if where else ""  # else all options, which says nothing
        message = f"{place}: {text[0].lower()}{text[1:]}{found}"
    return OptionError(message, str(first["loc"][0]) if first["loc"] else "")
