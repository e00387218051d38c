"""What a trained network of layers of functions says: each edge as a named function, and the formula that they make.

A layer is a sum of functions of single inputs, whatever its families: the function of an edge is what the sum does when
its input alone moves, all others staying at their means. So layers of one family and of several are read alike. Only
layer normalisation, which mixes inputs, leaves no functions of single inputs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from automl import Explanation, Task
from automl_spaces.kan.layers.layer import KanLayer
from automl_spaces.kan.layers.mixed import MixedLayer
from automl_spaces.kan.selection import SelectableLayer
from automl_spaces.kan.symbolic import LIBRARY, Array, Edge, Match, best_match, draw_edges

EXAMPLES, POINTS = 256, 101
MOST_EDGES_IN_FORMULA, MOST_EDGES_SHOWN = 60, 24
NEGLIGIBLE = 0.01
"""Share of the largest deviation among a sum's edges below which an edge is left out of the formula."""


@dataclass(frozen=True)
class ReadEdge:
    """An edge as read: its samples, the best match, and how far it moves over the examples."""

    edge: Edge
    weight: float


@dataclass(frozen=True)
class ReadLayer:
    """A layer as read.

    Attributes:
        constants: what the sums are when all inputs are at their means, `(outputs,)`.
        edges: those worth a look, strongest first.
        values: of the inputs over the examples, `(examples, inputs)`.
        left_out: edges that hardly move, or that there was no room for.
    """

    constants: Array
    edges: tuple[ReadEdge, ...]
    values: Array
    left_out: int


def explain(network: nn.Module, task: Task) -> Explanation:
    """Return the edges of a network on ``task``, and for a small network its formula and how well that agrees.

    Args:
        network: an `nn.Sequential` of `nn.Flatten` and layers.
        task: the training split is read for the range of each input.
    """
    layers = [module for module in network.children() if isinstance(module, KanLayer | MixedLayer | SelectableLayer)]
    mixing = [number for number, layer in enumerate(layers, 1) if mixes_inputs(layer)]
    inputs = examples(task)
    count = sum(layer.inputs * layer.outputs for layer in layers)
    has_formula = count <= MOST_EDGES_IN_FORMULA and not mixing
    read = read_layers(layers, inputs, most=MOST_EDGES_IN_FORMULA if has_formula else MOST_EDGES_SHOWN)
    lines = formula_lines(read, network, inputs, task) if has_formula else [_why_no_formula(mixing, count)]
    if len(mixing) == len(layers):
        return Explanation(tuple(lines))
    edges = sorted((each for layer in read for each in layer.edges), key=lambda each: -each.weight)
    lines += _table(edges, count)
    shown = sorted((each.edge for each in edges[:MOST_EDGES_SHOWN]), key=lambda edge: (edge.layer, edge.target))
    return Explanation(tuple(lines), {"edges": _picture(shown)} if shown else {})


def _why_no_formula(mixing: Sequence[int], count: int) -> str:
    if not mixing:
        return f"no formula: the network has {count:,} edges, and one is written for up to {MOST_EDGES_IN_FORMULA}"
    where = f"layer {mixing[0]}" if len(mixing) == 1 else f"layers {', '.join(map(str, mixing))}"
    return f"no formula: layer normalisation in {where} mixes inputs, so that edges there are no functions of one input"


def mixes_inputs(layer: nn.Module) -> bool:
    """Say whether there is layer normalisation in a layer."""
    return any(isinstance(module, nn.LayerNorm | nn.GroupNorm) for module in layer.modules())


def examples(task: Task) -> Tensor:
    """Return some training inputs, flattened, `(examples, inputs)`."""
    generator = torch.Generator().manual_seed(0)
    inputs, _ = next(task.split("train").batches(EXAMPLES, torch.device("cpu"), shuffle=generator))
    return inputs.flatten(1)


@torch.no_grad()
def read_layers(layers: Sequence[nn.Module], inputs: Tensor, *, most: int) -> list[ReadLayer]:
    """Return the layers that do not mix inputs, as read at ``inputs``, `(examples, inputs)`: ``most`` edges each."""
    found = []
    for number, layer in enumerate(layers):
        if not mixes_inputs(layer):
            found.append(_read_layer(layer, number, inputs, most))
        inputs = layer(inputs)
    return found


def _read_layer(layer: nn.Module, number: int, inputs: Tensor, most: int) -> ReadLayer:
    means = inputs.mean(0)
    centre = layer(means.unsqueeze(0))[0]
    weights = np.stack([_alone(layer, means, source, inputs[:, source]).std(0) for source in range(len(means))], 1)
    outputs, sources = weights.shape
    floor = NEGLIGIBLE * weights.max(1, keepdims=True, initial=1e-12)
    strong = [(o, i) for o in range(outputs) for i in range(sources) if weights[o, i] > floor[o, 0]]
    chosen = sorted(strong, key=lambda pair: -weights[pair])[:most]
    low, high = inputs.amin(0), inputs.amax(0)
    edges = []
    for source in sorted({i for _, i in chosen}):
        x = torch.linspace(float(low[source]), float(high[source]), POINTS)
        curves = _alone(layer, means, source, x) - centre.double().numpy()
        for target in (o for o, i in chosen if i == source):
            line, y = x.double().numpy(), curves[:, target]
            edge = Edge(number, source, target, line, y, best_match(line, y))
            edges.append(ReadEdge(edge, float(weights[target, source])))
    edges.sort(key=lambda each: -each.weight)
    return ReadLayer(centre.double().numpy(), tuple(edges), inputs.double().numpy(), outputs * sources - len(edges))


def _alone(layer: nn.Module, means: Tensor, source: int, values: Tensor) -> Array:
    """Return the sums of a layer, `(values, outputs)`, when one input takes ``values`` and the others stay."""
    moved = means.repeat(len(values), 1)
    moved[:, source] = values
    made: Array = layer(moved).double().numpy()
    return made


def formula_lines(read: Sequence[ReadLayer], network: nn.Module, inputs: Tensor, task: Task) -> list[str]:
    """Return a line for each sum, from the inputs to the outputs, and how well they agree with the network."""
    offset, factor = task.output_scale if task.task_kind == "regression" else (0.0, 1.0)
    names = [f"x{place + 1}" for place in range(read[0].values.shape[1])]
    lines, values = [], {name: read[0].values[:, place] for place, name in enumerate(names)}
    for number, layer in enumerate(read):
        is_last = number == len(read) - 1
        scale, shift = (factor, offset) if is_last else (1.0, 0.0)
        sums = _sum_names(len(layer.constants), number, is_last=is_last)
        computed = {}
        for target, name in enumerate(sums):
            own = [each.edge for each in layer.edges if each.edge.target == target]
            constant = scale * (layer.constants[target] + sum(edge.match.d for edge in own)) + shift
            terms = [_scaled(edge.match, scale).text(names[edge.source]) for edge in own]
            lines.append(f"{name} = {_joined_terms(terms, constant)}")
            total = np.full(len(inputs), constant)
            for edge in own:
                total = total + _value(_scaled(edge.match, scale), values[names[edge.source]])
            computed[name] = total
        names, values = sums, computed
    with torch.no_grad():
        wanted = network(inputs).double().numpy() * factor + offset
    return [*lines, _agreement(np.stack([values[name] for name in names], 1), wanted)]


def _agreement(found: Array, wanted: Array) -> str:
    spread = float(np.square(wanted - wanted.mean(0)).sum())
    lost = float(np.square(wanted - found).sum())
    share = 1 - lost / spread if spread and np.isfinite(lost) else float("nan")
    advice = "" if share >= 0.99 else "; where it is far from 1, trust the network, not the formula"
    return f"the formula agrees with the network: R² {share:.4f} on {len(wanted)} training inputs{advice}"


def _sum_names(count: int, number: int, *, is_last: bool) -> list[str]:
    letter = "y" if is_last else "abcdefgh"[number % 8]
    return [letter] if is_last and count == 1 else [f"{letter}{place + 1}" for place in range(count)]


def _scaled(match: Match, scale: float) -> Match:
    """Return the match times ``scale`` without its constant, which the sum has."""
    return Match(match.name, match.a, match.b, match.c * scale, 0.0, match.r2)


def _value(match: Match, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return match.c * LIBRARY[match.name].function(match.a * x + match.b) + match.d


def _joined_terms(terms: Sequence[str], constant: float) -> str:
    shown = [term for term in terms if term != "0"]
    shown += [f"{constant:.3g}"] if abs(constant) >= 1e-3 or not shown else []
    return " + ".join(shown).replace("+ -", "- ")


def _table(edges: Sequence[ReadEdge], count: int) -> list[str]:
    """Return a line for each of the strongest edges."""
    if not edges:
        return ["no edge moves its sum: the network is constant on its training inputs"]
    shown = edges[:MOST_EDGES_SHOWN]
    more = f", the {len(shown)} strongest of {count:,}" if count > len(shown) else ""
    lines = [f"edges as layer: input -> output, function, R² of the match, deviation it causes{more}:"]
    for each in shown:
        edge, match = each.edge, each.edge.match
        place = f"{edge.layer + 1}: {edge.source + 1} -> {edge.target + 1}"
        text = match.text("x")
        lines.append(f"  {place:<14} {match.r2:6.3f} {each.weight:9.3g}   {text}")
    return lines


def _picture(edges: Sequence[Edge]) -> bytes:
    buffer = io.BytesIO()
    draw_edges(edges, buffer)
    return buffer.getvalue()
