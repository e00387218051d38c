"""Components and their options.

Options are pydantic models: frozen, unknown names forbidden, every field documented, so that `automl describe` prints
them and `--set` is checked before anything runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ValidationError

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

    ``paper`` cites the source of the method.
    """

    kind: ClassVar[str] = "component"
    paper: ClassVar[str] = ""
    Options: ClassVar[type[BaseOptions]] = BaseOptions

    def __init__(self, options: Any = None) -> None:
        self.options: Any = self.Options() if options is None else options


class OptionError(ConfigurationError):
    """An option of a component is unknown or has a bad value; ``option`` is the first one that is."""

    def __init__(self, message: str, option: str) -> None:
        super().__init__(message)
        self.option = option


def parse_options(component: type[Component], name: str, values: Mapping[str, Any]) -> BaseOptions:
    """Return the validated options of ``component``.

    Raises:
        OptionError: an option is unknown or has a bad value; the message names ``name.option``.
    """
    try:
        return component.Options.model_validate(dict(values))
    except ValidationError as invalid:
        raise _option_error(component, name, invalid) from None


def _option_error(component: type[Component], name: str, invalid: ValidationError) -> OptionError:
    first = invalid.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = component.Options.model_fields
        message = unknown_name(f"option of {name}", where, known, f"automl describe {component.kind} {name}")
    else:
        message = f"`{name}.{where}`: {first['msg'][0].lower()}{first['msg'][1:]}, but got {first['input']!r}"
    return OptionError(message, str(first["loc"][0]) if first["loc"] else "")
