"""What the layers of Kolmogorov-Arnold networks cost beside the multilayer perceptron of as many parameters.

    python benchmarks/kan.py

Forward and backward of a batch of 256 in float32, the gradient of the input too, one thread; every layer in turn with
the perceptron (SiLU between its two layers), the best of many rounds of each. `cox_de_boor` is the spline layer as one
writes it down: recurrence over half-open spans, graph by autograd. Memory is what the graph keeps for the backward
pass, in expanded copies.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from _outcome import report
from torch import Tensor, nn
from torch.nn import functional

from automl_spaces.kan.layers import FAMILIES, KanLinear, KanSpec, make_family

BATCH = 256
ROUNDS, WIDE_ROUNDS = 500, 40
TARGETS = {
    "chebyshev_ratio": ("<=", 1.3),
    "legendre_ratio": ("<=", 1.3),
    "jacobi_ratio": ("<=", 1.3),
    "rbf_ratio": ("<=", 1.6),
    "fourier_ratio": ("<=", 1.6),
    "bspline_ratio": ("<=", 2.5),
    "cox_de_boor_over_bspline": (">=", 4.0),
    "most_expanded_copies": ("<=", 2.0),
}
SPECS = {
    "chebyshev": KanSpec(make_family("chebyshev", degree=8)),
    "legendre": KanSpec(make_family("legendre", degree=8)),
    "jacobi": KanSpec(make_family("jacobi", degree=8)),
    "rbf": KanSpec(make_family("rbf"), base="silu"),
    "fourier": KanSpec(make_family("fourier", frequencies=5)),
    "bspline": KanSpec(make_family("bspline"), base="silu"),
}
"""The layers of the targets, at the sizes that public codes have."""


class CoxDeBoor(nn.Module):
    """A cubic spline layer on 5 intervals with a SiLU base, written straightforwardly."""

    def __init__(self, inputs: int, outputs: int, grid: int = 5, order: int = 3) -> None:
        super().__init__()
        step = 2.0 / grid
        self.order = order
        self.register_buffer("knots", (torch.arange(-order, grid + order + 1) * step - 1.0).repeat(inputs, 1))
        self.coefficients = nn.Parameter(torch.randn(outputs, inputs, grid + order) * 0.1)
        self.base = nn.Parameter(torch.randn(outputs, inputs) * inputs**-0.5)
        self.scale = nn.Parameter(torch.ones(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        at, knots = x.unsqueeze(-1), self.knots
        values = ((at >= knots[:, :-1]) & (at < knots[:, 1:])).to(x)
        for k in range(1, self.order + 1):
            left = (at - knots[:, : -(k + 1)]) / (knots[:, k:-1] - knots[:, : -(k + 1)])
            right = (knots[:, k + 1 :] - at) / (knots[:, k + 1 :] - knots[:, 1:-k])
            values = left * values[..., :-1] + right * values[..., 1:]
        weight = (self.coefficients * self.scale.unsqueeze(-1)).flatten(1)
        return functional.linear(functional.silu(x), self.base) + functional.linear(values.flatten(1), weight)


def perceptron(inputs: int, outputs: int, parameters: int) -> nn.Module:
    """Return two linear layers with about so many ``parameters``."""
    hidden = round((parameters - outputs) / (inputs + outputs + 1))
    return nn.Sequential(nn.Linear(inputs, hidden), nn.SiLU(), nn.Linear(hidden, outputs))


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def pass_of(network: nn.Module, inputs: int) -> Callable[[], None]:
    """Return one forward and backward pass with gradients of everything."""
    x = torch.randn(BATCH, inputs, generator=torch.Generator().manual_seed(0)).requires_grad_()
    wanted = [x, *network.parameters()]
    with torch.no_grad():
        cotangent = torch.randn_like(network(x))

    def once() -> None:
        torch.autograd.grad(network(x), wanted, cotangent)

    return once


def in_turn(passes: list[Callable[[], None]], rounds: int) -> list[float]:
    """Return the best seconds of each pass; one at a time and in turn, so that a busy machine is busy for all."""
    best = [float("inf")] * len(passes)
    for _ in range(rounds):
        for place, once in enumerate(passes):
            began = time.perf_counter()
            once()
            best[place] = min(best[place], time.perf_counter() - began)
    return best


def expanded_copies(layer: KanLinear) -> float:
    """Return what the graph keeps, parameters and the input aside, over the size of the expanded tensor."""
    kept: dict[int, int] = {}
    x = torch.randn(BATCH, layer.inputs, requires_grad=True)
    own = {t.untyped_storage().data_ptr() for t in (x, *layer.parameters(), *layer.buffers())}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        out = layer(x)  # alive until counted, so that no address is used twice
    copies = sum(kept.values()) / (x.numel() * layer.basis.size * x.element_size())
    del out
    return copies


def measure() -> dict[str, float]:
    """Return ratios to perceptrons, and the milliseconds behind them."""
    torch.set_num_threads(1)
    figures: dict[str, float] = {}
    for name, spec in SPECS.items():
        layer = KanLinear(64, 64, spec)
        networks = [layer, perceptron(64, 64, count(layer))]
        if name == "bspline":
            networks.append(CoxDeBoor(64, 64))
        seconds = in_turn([pass_of(network, 64) for network in networks], ROUNDS)
        figures[f"{name}_ms"] = seconds[0] * 1e3
        figures[f"{name}_ratio"] = seconds[0] / seconds[1]
        if name == "bspline":
            figures["cox_de_boor_over_bspline"] = seconds[2] / seconds[0]
    figures["most_expanded_copies"] = max(expanded_copies(KanLinear(64, 64, spec)) for spec in SPECS.values())
    for name, spec in SPECS.items():  # a wide first layer, where memory is what costs; without a target
        wide = nn.Sequential(KanLinear(784, 64, spec), KanLinear(64, 10, spec))
        seconds = in_turn([pass_of(network, 784) for network in (wide, perceptron(784, 10, count(wide)))], WIDE_ROUNDS)
        figures[f"{name}_784_ratio"] = seconds[0] / seconds[1]
    for name in sorted(set(FAMILIES) - set(SPECS)):  # the other families at their defaults, without a target
        layer = KanLinear(64, 64, KanSpec(make_family(name)))
        seconds = in_turn([pass_of(network, 64) for network in (layer, perceptron(64, 64, count(layer)))], ROUNDS // 5)
        figures[f"{name}_ratio"] = seconds[0] / seconds[1]
    return figures


def main() -> None:
    """Measure and print."""
    report("kan", measure(), TARGETS)


if __name__ == "__main__":
    main()
