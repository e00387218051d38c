"""What a trained network says in symbols: each edge's function, and the named function that resembles it most.

Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756, section 2.5: an edge is matched by ``c f(a x + b) + d``.
Here ``a`` and ``b`` are found by a coarse grid and then by Nelder and Mead's method, ``c`` and ``d`` by linear
regression at each step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from automl import ConfigurationError
from automl_spaces.kan.layers.linear import KanLinear

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Named:
    """A function with a name.

    Attributes:
        text: how it is written, with ``{}`` for its argument.
        function: elementwise; NaN or infinite where it is not defined.
        complexity: ties in fit go to the smaller.
        is_power: scaling its argument scales its value, so that only shifts are searched for.
    """

    text: str
    function: Callable[[Array], Array]
    complexity: int
    is_power: bool = False


LIBRARY: Mapping[str, Named] = {
    "0": Named("0", lambda u: np.zeros_like(u), 0),
    "x": Named("{}", lambda u: u, 1, True),
    "x^2": Named("({})^2", np.square, 2, True),
    "x^3": Named("({})^3", lambda u: u**3, 3, True),
    "x^4": Named("({})^4", lambda u: u**4, 3, True),
    "abs": Named("|{}|", np.abs, 3, True),
    "1/x": Named("1/({})", lambda u: 1.0 / u, 3, True),
    "sqrt": Named("sqrt({})", np.sqrt, 3),
    "exp": Named("exp({})", np.exp, 2),
    "log": Named("log({})", np.log, 2),
    "sin": Named("sin({})", np.sin, 2),
    "cos": Named("cos({})", np.cos, 3),
    "tanh": Named("tanh({})", np.tanh, 3),
    "gaussian": Named("exp(-({})^2)", lambda u: np.exp(-np.square(u)), 3),
}
"""The functions that an edge is compared with."""

_SAME_FIT = 1e-4
"""Differences of R² that do not count against the simpler function."""


@dataclass(frozen=True, slots=True)
class Match:
    """``c f(a x + b) + d``, and how much of the edge's variance it explains."""

    name: str
    a: float
    b: float
    c: float
    d: float
    r2: float

    def text(self, variable: str, digits: int = 3) -> str:
        """Return the formula with ``variable`` in it."""
        if self.name == "0":
            return _number(self.d, digits)
        inner = _affine(self.a, variable, self.b, digits)
        body = LIBRARY[self.name].text.format(inner)
        return _affine(self.c, f"({body})" if self.name == "x" and self.b else body, self.d, digits)


@dataclass(frozen=True)
class Edge:
    """The function of one edge, sampled.

    Attributes:
        layer: number of the layer; ``source`` and ``target`` number its input and output.
        x: `(points,)`; ``y`` alike.
        match: the named function that resembles it most.
    """

    layer: int
    source: int
    target: int
    x: Array
    y: Array
    match: Match


@torch.no_grad()
def edge_functions(layer: KanLinear, x: Tensor) -> Tensor:
    """Return the functions of all edges at ``x``, `(points, inputs)`, as `(points, outputs, inputs)`, base included.

    Raises:
        ConfigurationError: layer normalisation in front, which leaves no functions of single inputs.
    """
    if layer.spec.before_of(layer.inputs) == "layer_norm":
        raise ConfigurationError("layer normalisation mixes inputs, so its edges are no functions of one; use another")
    values = torch.einsum("bmi,omi->boi", layer.basis(layer.before(x)), layer.coefficients)
    if layer.base is not None:
        weight = layer.base.weight
        assert isinstance(weight, Tensor)
        values = values + weight * layer.base_values(x).unsqueeze(-2)
    return values


@torch.no_grad()
def read(layers: Sequence[KanLinear], inputs: Tensor, *, points: int = 101) -> list[Edge]:
    """Return every edge of a network, sampled over the range that ``inputs`` give it, with its best match.

    Args:
        layers: of the network, in order.
        inputs: examples, `(examples, inputs)`.
        points: per edge.
    """
    edges = []
    for number, layer in enumerate(layers):
        low, high = inputs.amin(0), inputs.amax(0)
        x = low + (high - low) * torch.linspace(0.0, 1.0, points, device=inputs.device).unsqueeze(-1)
        values = edge_functions(layer, x).double().cpu().numpy()
        at = x.double().cpu().numpy()
        for target in range(layer.outputs):
            for source in range(layer.inputs):
                line, y = at[:, source], values[:, target, source]
                edges.append(Edge(number, source, target, line, y, best_match(line, y)))
        inputs = layer(inputs)
    return edges


def best_match(x: Array, y: Array) -> Match:
    """Return the function of `LIBRARY` that fits best, the simpler one where it hardly matters."""
    if float(np.ptp(y)) < 1e-9:
        return Match("0", 1.0, 0.0, 0.0, float(y.mean()), 1.0)
    found = [fit(name, x, y) for name in LIBRARY if name != "0"]
    best = max(match.r2 for match in found)
    close = [match for match in found if match.r2 >= best - _SAME_FIT]
    return min(close, key=lambda match: (LIBRARY[match.name].complexity, -match.r2))


def fit(name: str, x: Array, y: Array) -> Match:
    """Return the best ``c f(a x + b) + d`` for the function called ``name``."""
    named = LIBRARY[name]
    if name == "x":
        return _match(named, name, 1.0, 0.0, x, y)
    scale = max(float(np.abs(x).max()), 1e-9)
    slopes = np.array([1.0]) if named.is_power else np.array([0.5, 1.0, 2.0, 3.0, 5.0, 8.0, -1.0, -2.0]) / scale
    reach = 2.0 * scale if named.is_power else 3.0
    trials = [(a, b) for a in slopes for b in np.linspace(-reach, reach, 25)]
    start = max(trials, key=lambda pair: _r2(named, pair[0], pair[1], x, y))

    def loss(free: Array) -> float:
        a, b = (start[0], free[0]) if named.is_power else (free[0], free[1])
        return -max(_r2(named, a, b, x, y), -1e6)

    first = np.array([start[1]]) if named.is_power else np.array(start)
    solved = minimize(loss, first, method="Nelder-Mead", options={"maxiter": 200, "xatol": 1e-6, "fatol": 1e-10}).x
    a, b = (start[0], solved[0]) if named.is_power else (solved[0], solved[1])
    return _match(named, name, float(a), float(b), x, y)


def formula(layers: Sequence[KanLinear], inputs: Tensor, *, digits: int = 3) -> list[str]:
    """Return a formula for each output of a small network, of the best matches, in ``x1``, ``x2``, ...

    Raises:
        ConfigurationError: the network has more than 60 edges, which nobody would read, or normalises its sums.
    """
    count = sum(layer.inputs * layer.outputs for layer in layers)
    if count > 60 or any(layer.spec.after != "none" for layer in layers):
        raise ConfigurationError(
            f"a formula is written for up to 60 edges and sums without normalisation, but here are {count} edges; "
            "look at the edges one by one"
        )
    edges = read(layers, inputs)
    names = [f"x{number + 1}" for number in range(layers[0].inputs)]
    for number, layer in enumerate(layers):
        own = [edge for edge in edges if edge.layer == number]
        bias = [0.0] * layer.outputs if layer.bias is None else layer.bias.tolist()
        sums = []
        for target in range(layer.outputs):
            terms = [edge.match.text(names[edge.source], digits) for edge in own if edge.target == target]
            terms += [_number(bias[target], digits)] if layer.bias is not None else []
            sums.append(" + ".join(term for term in terms if term != "0").replace("+ -", "- ") or "0")
        names = [f"({text})" for text in sums]
    return [name[1:-1] for name in names]


def draw_edges(edges: Sequence[Edge], path: str | Path | BinaryIO, *, columns: int = 6) -> None:
    """Save a picture of all edges, layer by layer: the function, its best match dashed, and its R²."""
    from matplotlib.figure import Figure

    rows = -(-len(edges) // columns)
    figure = Figure(figsize=(2.1 * columns, 1.9 * rows + 0.3), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for axis, edge in zip(axes, edges, strict=False):
        match = edge.match
        axis.plot(edge.x, edge.y, color="tab:blue", linewidth=2)
        axis.plot(edge.x, _evaluated(match, edge.x), color="tab:orange", linestyle="--", linewidth=1.2)
        axis.set_title(
            f"layer {edge.layer + 1}: {edge.source + 1} → {edge.target + 1}\n{match.name}, R² {match.r2:.3f}",
            fontsize=8,
        )
        axis.tick_params(labelsize=6)
    for axis in axes[len(edges) :]:
        axis.set_axis_off()
    figure.savefig(path, dpi=120)


def _evaluated(match: Match, x: Array) -> Array:
    with np.errstate(all="ignore"):
        return match.c * LIBRARY[match.name].function(match.a * x + match.b) + match.d


def _regress(named: Named, a: float, b: float, x: Array, y: Array) -> tuple[float, float, float]:
    """Return ``c``, ``d`` and R² of the regression of ``y`` on the function; R² is ``-inf`` where it is undefined."""
    with np.errstate(all="ignore"):
        values = named.function(a * x + b)
    if not np.isfinite(values).all() or np.abs(values).max() > 1e6:
        return 0.0, 0.0, -np.inf
    centred, wanted = values - values.mean(), y - y.mean()
    norm = float(centred @ centred)
    if norm < 1e-12:
        return 0.0, 0.0, -np.inf
    c = float(centred @ wanted) / norm
    residual = wanted - c * centred
    return c, float(y.mean() - c * values.mean()), 1.0 - float(residual @ residual) / float(wanted @ wanted)


def _r2(named: Named, a: float, b: float, x: Array, y: Array) -> float:
    return _regress(named, a, b, x, y)[2]


def _match(named: Named, name: str, a: float, b: float, x: Array, y: Array) -> Match:
    c, d, r2 = _regress(named, a, b, x, y)
    return Match(name, a, b, c, d, r2)


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if abs(value) >= 10.0**-digits else "0"


def _affine(slope: float, inner: str, shift: float, digits: int) -> str:
    """Return ``slope inner + shift`` without what is 0 or 1."""
    factor, constant = _number(slope, digits), _number(shift, digits)
    if factor == "0":
        return constant
    body = inner if factor == "1" else f"-{inner}" if factor == "-1" else f"{factor} {inner}"
    if constant == "0":
        return body
    return f"{body} - {constant[1:]}" if constant.startswith("-") else f"{body} + {constant}"
