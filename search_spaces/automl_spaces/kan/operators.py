"""Changes of an architecture after which the trained function can be kept: the mutations of the space.

Each takes a blueprint and draws one place where it applies; ``None`` where there is none. `morphing` is what they are
for: a search that trains from scratch tries them as any other mutation.

* ``family``: the functions of a node, or of a layer, come of another family, of as many functions or more where its
  decisions allow. The rational family has one function per node, into which no other fits: it is left to plain
  changes.
* ``refine``: the next finer grid, or the next number of centres. From 5 to 10 and 20 intervals splines are nested.
* ``raise``: the next degree, or number of frequencies or wavelets.
* ``widen``: the next width, where no layer normalisation is around that would see the new nodes.
* ``deepen``: a layer between two others that starts as the identity; only with an identity base, where it is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from numpy.random import Generator

from automl import Architecture, RandomChooser
from automl_spaces.kan._choices import (
    FunctionChoice,
    FunctionName,
    LayerChoice,
    LayerOptions,
    Setting,
    choose_function,
)

_GRIDS = ("grid", "centres")
_DEGREES = ("degree", "frequencies", "count")
_DRAWS = 8
_SELECTED = "selected"
"""Nodes that learn their family have no one basis to start another from: they are left to plain changes."""

LayerOperator: TypeAlias = Callable[[LayerChoice, LayerOptions, Generator], LayerChoice | None]


def other_family(layer: LayerChoice, options: LayerOptions, rng: Generator) -> LayerChoice | None:
    """Return ``layer`` with one of its functions of another family; ``None`` where there is no other."""
    place = int(rng.integers(len(layer.functions)))
    old = layer.functions[place]
    families = [name for name in options.families if name not in (old.family, "rational", _SELECTED)]
    if not families or old.family == _SELECTED:
        return None
    family = families[int(rng.integers(len(families)))]
    chooser, only = RandomChooser(rng), options.model_copy(update={"families": (family,)})
    drawn = [choose_function(chooser, "", only) for _ in range(_DRAWS)]
    wanted = old.make().size
    enough = [each for each in drawn if each.make().size >= wanted]
    return _with(layer, place, enough[0] if enough else max(drawn, key=lambda each: each.make().size))


def refined(layer: LayerChoice, options: LayerOptions, rng: Generator) -> LayerChoice | None:
    """Return ``layer`` with the next finer grid of one of its functions; ``None`` where there is none."""
    return _raised(layer, _GRIDS, rng)


def raised(layer: LayerChoice, options: LayerOptions, rng: Generator) -> LayerChoice | None:
    """Return ``layer`` with the next degree of one of its functions; ``None`` where there is none."""
    return _raised(layer, _DEGREES, rng)


GROWTH = ("family", "refine", "raise", "widen", "deepen")
"""All of them, by name."""

CONV_GROWTH = ("family", "refine", "raise", "widen")
"""Those of convolutions, which are not deepened: each stage halves the image."""

LAYER_OPERATORS: Mapping[str, LayerOperator] = {"family": other_family, "refine": refined, "raise": raised}
"""Those that change one layer."""


def perturb(
    names: Sequence[str],
    grow: Callable[[str], Architecture | None],
    change: Callable[[], Architecture],
    rng: Generator,
) -> Architecture:
    """Grow with even chances, in one of the ways ``names``, or change one decision.

    Of the ways to grow, all are as likely; where one does not apply, the next is tried, and at last the change.
    """
    if rng.random() < 0.5:
        for place in rng.permutation(len(names)).tolist():
            grown = grow(names[place])
            if grown is not None:
                return grown
    return change()


def in_one_layer(
    operator: LayerOperator, layers: Sequence[LayerChoice], options: LayerOptions, rng: Generator
) -> tuple[LayerChoice, ...] | None:
    """Apply ``operator`` to the first layer, in random order, where it applies."""
    for place in rng.permutation(len(layers)).tolist():
        changed = operator(layers[place], options, rng)
        if changed is not None:
            return (*layers[:place], changed, *layers[place + 1 :])
    return None


def wider(
    widths: Sequence[int], layers: Sequence[LayerChoice], offered: Sequence[int], rng: Generator
) -> tuple[int, int] | None:
    """Return a place and the next larger width of the nodes behind that layer; ``None`` where there is none.

    ``layers`` may have one more than ``widths``: the one that listens to the last.
    """
    for place in rng.permutation(len(widths)).tolist():
        larger = [width for width in offered if width > widths[place]]
        behind = layers[place + 1].before if place + 1 < len(layers) else "none"
        if larger and "layer_norm" not in (layers[place].after, behind):
            return place, min(larger)
    return None


def with_nodes(layer: LayerChoice, count: int | None, options: LayerOptions, rng: Generator) -> LayerChoice:
    """Return ``layer`` with functions for ``count`` nodes, those that are missing drawn; as it is without a count."""
    missing = 0 if count is None else count - len(layer.functions)
    chooser, own = RandomChooser(rng), options.model_copy(update={"families": _fixed(options)})
    drawn = tuple(choose_function(chooser, number, own) for number in range(missing))
    return replace(layer, functions=layer.functions + drawn)


def identity(count: int | None, options: LayerOptions, rng: Generator) -> LayerChoice | None:
    """Return a layer that can start as the identity, with functions for ``count`` nodes or one for all."""
    if "identity" not in options.bases or "none" not in options.afters or not _fixed(options):
        return None
    before = options.befores[int(rng.integers(len(options.befores)))]
    return with_nodes(LayerChoice((), "identity", before, "none"), count or 1, options, rng)


def _raised(layer: LayerChoice, names: Sequence[str], rng: Generator) -> LayerChoice | None:
    for place in rng.permutation(len(layer.functions)).tolist():
        function = layer.functions[place]
        for name, value in function.settings:
            larger = [each for each in _offered(function, name) if each > value] if name in names else []
            if larger:
                settings = {**dict(function.settings), name: min(larger)}
                return _with(layer, place, replace(function, settings=tuple(settings.items())))
    return None


def _fixed(options: LayerOptions) -> tuple[FunctionName, ...]:
    return tuple(name for name in options.families if name != _SELECTED)


def _offered(function: FunctionChoice, name: str) -> tuple[Setting, ...]:
    from automl_spaces.kan.layers import FAMILIES

    return FAMILIES[function.family].choices[name]


def _with(layer: LayerChoice, place: int, function: FunctionChoice) -> LayerChoice:
    return replace(layer, functions=(*layer.functions[:place], function, *layer.functions[place + 1 :]))
