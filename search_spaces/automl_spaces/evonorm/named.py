"""Published layers as expressions of the space [1].

The published graphs end in an affine map, which stands outside the expression. ``evonorm_b1`` reads ``v1`` where the
published formula has the constant 1, its initial value: in the space it trains, and `layers.EvoNormB1` has the
constant. ``frn`` lacks the threshold of the published layer, a third trainable vector; `layers.FilterResponseNorm` has
it. The layers B3 to B6 and S3 to S6 of [1] are left out: we have no source for their formulas.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from automl_spaces.evonorm.expression import Expression

_NORMALISED = "MEAN{{{0}}} 0; NEG 4; ADD 0 5; STD{{{0}}} 0; DIV 6 7; MUL 3 8; ADD 2 9"
_RELU, _SILU = "; MAX 10 1", "; SIGMOID 10; MUL 10 11"
_NORMALISATIONS = {"bn": "bwh", "gn": "whc/g", "ln": "whc", "in": "wh"}
_TEXTS = {
    **{f"{name}_relu": _NORMALISED.format(over) + _RELU for name, over in _NORMALISATIONS.items()},
    **{f"{name}_silu": _NORMALISED.format(over) + _SILU for name, over in _NORMALISATIONS.items()},
    "frn": "RMS{wh} 0; DIV 0 4; MUL 3 5; ADD 2 6",
    "evonorm_b0": "STD{bwh} 0; MUL 3 0; STD{wh} 0; ADD 5 6; MAX 4 7; DIV 0 8",
    "evonorm_b1": "STD{bwh} 0; ADD 0 3; RMS{wh} 0; MUL 5 6; MAX 4 7; DIV 0 8",
    "evonorm_b2": "STD{bwh} 0; NEG 0; RMS{wh} 0; ADD 6 5; MAX 4 7; DIV 0 8",
    "evonorm_s0": "MUL 3 0; SIGMOID 4; MUL 0 5; STD{whc/g} 0; DIV 6 7",
    "evonorm_s1": "SIGMOID 0; MUL 0 4; STD{whc/g} 0; DIV 5 6",
    "evonorm_s2": "SIGMOID 0; MUL 0 4; RMS{whc/g} 0; DIV 5 6",
}

NAMED: Mapping[str, Expression] = MappingProxyType({name: Expression.parse(text) for name, text in _TEXTS.items()})
"""Published layers by name."""
