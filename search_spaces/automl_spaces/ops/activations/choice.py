"""The activation as a decision of a search space. Imports no torch, so that a study can be checked at the door.

A space has two options, `activation` and `activation_level`, asks `choose_activation` in its walk, and writes what was
answered back with `encode_activation`. With a fixed activation nothing is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import networkx as nx

    from automl import Chooser, Value

Level = Literal["curated", "family", "all"]

SEARCH = "search"
DEFAULT = "relu"
CURATED = (
    "relu",
    "leaky_relu",
    "elu",
    "selu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "tanh",
    "softplus",
    "prelu",
    "snake",
)
"""One of each kind that is in use, by the list of activations.md's first level."""

_PREFIX = "activation="


def check_activation(name: str) -> str:
    """Return the name of an activation that fits any layer, of an alias the name itself, or ``search``.

    Raises:
        ValueError: there is none, or it changes the number of channels; for the validator of an option.
    """
    if name in (SEARCH, *CURATED):
        return name
    from automl import ConfigurationError
    from automl_spaces.ops.activations.registry import entry

    try:
        found = entry(name)
    except ConfigurationError as unknown:
        raise ValueError(str(unknown).replace("\n ", ";")) from None
    if not found.keeps_shape:
        raise ValueError(f"activation {found.name!r} changes or groups the channels and fits no layer of this space")
    return found.name


def choose_activation(choose: Chooser, option: str, level: Level) -> str:
    """Return the activation that ``option`` names, or ask for one if it is ``search``.

    ``curated`` and ``all`` are one question; ``family`` asks for the family, then for a member.
    """
    if option != SEARCH:
        return option
    if level == "curated":
        return choose.categorical("activation", CURATED)
    from automl_spaces.ops.activations.registry import families, names

    if level == "all":
        return choose.categorical("activation", names("all"))
    family = choose.categorical("activation_family", tuple(families()))
    return choose.categorical(f"activation@{family}", families()[family], role="activation")


def offered(option: str, level: Level) -> tuple[str, ...]:
    """Return every activation that `choose_activation` can return."""
    if option != SEARCH:
        return (option,)
    from automl_spaces.ops.activations.registry import names

    return CURATED if level == "curated" else names("all")


def encode_activation(name: str, option: str, level: Level) -> dict[str, Value]:
    """Return the answers with which `choose_activation` returns ``name``."""
    if option != SEARCH:
        return {}
    if level != "family":
        return {"activation": name}
    from automl_spaces.ops.activations.registry import entry

    family = entry(name).family
    return {"activation_family": family, f"activation@{family}": name}


def mark_activation(graph: nx.DiGraph[Any], name: str, terminal: Any) -> None:
    """Add the activation to ``graph``, as a node before the ``terminal``, unless it is ReLU.

    It belongs to all layers, so it is no part of any one node; and as a node, operators can exchange it.
    """
    if name != DEFAULT:
        graph.add_node("activation", label=_PREFIX + name)
        graph.add_edge("activation", terminal, label="activation")


def take_activation(graph: nx.DiGraph[Any]) -> tuple[str, nx.DiGraph[Any]]:
    """Return the activation that `mark_activation` added and a graph without its node: the inverse.

    Raises:
        InvalidArchitecture: there are several.
    """
    marks = [node for node, label in graph.nodes(data="label") if str(label).startswith(_PREFIX)]
    if len(marks) > 1:
        from automl import InvalidArchitecture

        raise InvalidArchitecture(f"a network has one activation, but the graph has {len(marks)}; remove the others")
    if not marks:
        return DEFAULT, graph
    rest = graph.copy()
    rest.remove_node(marks[0])
    return str(graph.nodes[marks[0]]["label"]).removeprefix(_PREFIX), rest
