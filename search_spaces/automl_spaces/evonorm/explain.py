"""What a trained network of an evolved layer says: the layer's formula, its graph, and where its parameters went."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl import Explanation, draw
from automl_spaces.evonorm.expression import Expression
from automl_spaces.evonorm.graphs import computed_graph_of

if TYPE_CHECKING:
    from torch import nn

_SYMBOLS = (
    ("{bwh}", "{bwh} = over batch and pixels, for each channel; in evaluation, running moments"),
    ("{wh}", "{wh} = over pixels, for each example and channel"),
    ("{whc}", "{whc} = over pixels and channels, for each example"),
    ("{whc/g}", "{whc/g} = over the pixels and channels of a group, for each example"),
)
_LETTERS = {"weight": "gamma", "bias": "beta"}


def explain(expression: Expression, network: nn.Module) -> Explanation:
    """Return the formula of a layer with its legend, the parameters it came to in ``network``, and its graph."""
    formula = expression.formula()
    lines = [f"layer(x) = gamma * ({formula}) + beta, in the place of normalisation and activation"]
    if (name := known_as(expression)) is not None:
        lines.append(f"the published layer {name}")
    lines += [f"  {text}" for symbol, text in _SYMBOLS if symbol in formula]
    for letter, found in _ranges(network).items():
        lines.append(f"  {letter}: {found}")
    return Explanation(tuple(lines), {"layer": draw(computed_graph_of(expression), "layer(x)")})


def known_as(expression: Expression) -> str | None:
    """Return the name of the published layer that ``expression`` is, if it is one."""
    from automl_spaces.evonorm.named import NAMED

    own = expression.canonical()
    return next((name for name, each in NAMED.items() if each.canonical() == own), None)


def _ranges(network: nn.Module) -> dict[str, str]:
    """Return the range of every parameter of the layers, over the whole network, by its symbol."""
    import torch

    from automl_spaces.evonorm.compiled import ExpressionLayer, NativeNorm

    found: dict[str, list[torch.Tensor]] = {}
    for layer in network.modules():
        if isinstance(layer, ExpressionLayer | NativeNorm):
            for name, parameter in layer.named_parameters(recurse=False):
                found.setdefault(_LETTERS.get(name, name), []).append(parameter.detach().flatten())
    ranges = {}
    for name, parts in found.items():
        values = torch.cat(parts)
        low, mean, high = float(values.min()), float(values.mean()), float(values.max())
        ranges[name] = f"from {low:.3g} to {high:.3g} over all {len(values)} channels of the network, mean {mean:.3g}"
    return ranges
