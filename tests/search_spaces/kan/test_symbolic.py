"""Reading networks in symbols."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from automl import ConfigurationError
from automl_spaces.kan.layers import KanLinear, KanSpec, Polynomial, make_family
from automl_spaces.kan.symbolic import LIBRARY, best_match, draw_edges, edge_functions, fit, formula, read

X = np.linspace(0.3, 2.0, 80)


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("name", sorted(set(LIBRARY) - {"0"}))
def test_every_function_finds_itself(name: str) -> None:
    a, b = (1.0, 0.4) if LIBRARY[name].is_power or name in ("sqrt", "log") else (1.3, 0.4)
    y = -1.7 * LIBRARY[name].function(a * X + b) + 0.3
    assert fit(name, X, y).r2 > 0.9999
    assert best_match(X, y).r2 > 0.9998


@pytest.mark.parametrize(("name", "wanted"), [("x^2", "x^2"), ("sin", "sin"), ("x", "x"), ("abs", "abs")])
def test_best_match_is_the_function_itself(name: str, wanted: str) -> None:
    x = np.linspace(-2.0, 2.0, 101)
    assert best_match(x, 2.0 * LIBRARY[name].function(1.5 * x if name == "sin" else x) - 1.0).name == wanted


def test_a_constant_edge_is_nothing() -> None:
    assert best_match(X, np.full_like(X, 2.0)).text("x1") == "2"


def test_edges_add_up_to_the_layer() -> None:
    layer = KanLinear(3, 2, KanSpec(make_family("bspline"), base="silu", bias=True), generator=seeded())
    x = torch.randn(10, 3, generator=seeded())
    assert torch.allclose(edge_functions(layer, x).sum(-1) + layer.bias, layer(x), atol=1e-5)


def test_formula_of_a_square_and_a_line() -> None:
    layer = KanLinear(2, 1, KanSpec(Polynomial(degree=3), before="none"))
    coefficients = torch.zeros(1, 4, 2)
    coefficients[0, 2, 0], coefficients[0, 1, 1] = 3.0, -2.0
    layer.set_coefficients(coefficients)
    x = 2.0 * torch.rand(200, 2, generator=seeded()) - 1.0
    assert formula([layer], x) == ["3 (x1)^2 - 2 x2"]


def test_long_formulas_and_mixed_inputs_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="60 edges"):
        formula([KanLinear(10, 10)], torch.zeros(3, 10))
    with pytest.raises(ConfigurationError, match="mixes inputs"):
        edge_functions(KanLinear(10, 2, KanSpec(before="layer_norm")), torch.zeros(3, 10))


@pytest.mark.slow
def test_picture_of_the_edges_is_saved(tmp_path: Path) -> None:
    layers = [KanLinear(2, 2, generator=seeded()), KanLinear(2, 1, KanSpec(make_family("rbf")), generator=seeded())]
    edges = read(layers, torch.randn(50, 2, generator=seeded()), points=31)
    assert [(edge.layer, edge.source, edge.target) for edge in edges][-2:] == [(1, 0, 0), (1, 1, 0)]
    draw_edges(edges, tmp_path / "edges.png")
    assert (tmp_path / "edges.png").read_bytes()[:4] == b"\x89PNG"
