"""What the networks of the published tables were trained with, as far as options of their spaces can differ from it."""

from __future__ import annotations

from typing import Any

from automl import ConfigurationError, SearchSpace

_ACTIVATION = "relu"


def check_activation(space: SearchSpace[Any], table: str) -> None:
    """Raise `ConfigurationError` unless the networks of ``space`` have ReLU, as all those of the published tables.

    With a fixed activation the answers are those of the table's rows, so nothing else would tell them apart.
    """
    found = getattr(space.options, "activation", _ACTIVATION)
    if found != _ACTIVATION:
        raise ConfigurationError(
            f"the networks of the table {table} were trained with activation {_ACTIVATION!r}, but this study has "
            f"space.activation = {found!r}; leave it at {_ACTIVATION!r}, or choose --evaluator train"
        )
