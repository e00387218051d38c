"""The activation functions as `automl list activations` and `automl describe activation NAME` show them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch

from automl import Catalogue, CatalogueEntry, CataloguePage, Plot
from automl_spaces.ops.activations.choice import CURATED
from automl_spaces.ops.activations.entries import SMOOTH, Entry, Parameter
from automl_spaces.ops.activations.measures import nearest
from automl_spaces.ops.activations.registry import ENTRIES, entry, make

_REACH, _POINTS = 5.0, 201
_WORDS = {"below": "bounded below", "above": "bounded above", "zero": "zero at 0"}


class Activations(Catalogue):
    """Activation functions: `--set space.activation=NAME`, or `search` for a decision.

    Those that change or group channels are of the family `arity_changing`, and fit only layers made for them.

    >>> Activations().page("mish").facts[0]
    ('formula', 'x·tanh(sp(x))')
    """

    paper: ClassVar[str] = "Kunc and Kléma. Three decades of activations. 2024. (arXiv:2402.09092)"

    def entries(self) -> Sequence[CatalogueEntry]:
        """Return all entries, by family."""
        return [CatalogueEntry(one.name, one.family, one.formula) for one in ENTRIES.values()]

    def page(self, name: str) -> CataloguePage:
        """Return the facts of an activation, and the plot of its values and derivatives where it has one input."""
        found = entry(name)
        facts = [
            ("formula", found.formula),
            ("family", found.family + (", and among the curated" if found.name in CURATED else "")),
            ("reference", str(found.reference)),
            ("also called", ", ".join(found.aliases)),
            ("parameters", "; ".join(map(_parameter_text, found.parameters))),
            ("properties", _properties(found)),
            ("channels", "" if found.arity == "same" else f"{found.arity} their number"),
            ("variance gain", f"{found.gain:.4g}"),
            ("cost", f"{found.cost:g} times ReLU, forward and backward"),
            ("most alike", ", ".join(nearest(found.name, 5)) if found.keeps_shape else ""),
        ]
        plot = _plot(found.name) if found.keeps_shape else None
        return CataloguePage(found.name, tuple((word, text) for word, text in facts if text), plot)


def _parameter_text(parameter: Parameter) -> str:
    bounds = f" in [{parameter.low:g}, {parameter.high:g}]"
    bounds = bounds if math.isfinite(parameter.low) or math.isfinite(parameter.high) else ""
    per = f", trainable by {'channel' if parameter.shape == 'channel' else 'layer'}" if parameter.trainable else ""
    return f"{parameter.name} = {parameter.default:.4g}{bounds}{per}"


def _properties(found: Entry) -> str:
    kinds = {SMOOTH: "smooth", -1: "has jumps", 0: "continuous"}
    words = [_WORDS.get(flag, flag) for flag in sorted(found.flags)]
    return ", ".join([*words, kinds.get(found.smooth, f"C^{found.smooth}")])


def _plot(name: str) -> Plot:
    inputs = torch.linspace(-_REACH, _REACH, _POINTS, dtype=torch.float64)[:, None].requires_grad_()
    outputs = make(name).double().eval()(inputs)
    (slopes,) = torch.autograd.grad(outputs.sum(), inputs)
    curves = {"value": outputs.detach(), "derivative": slopes}
    return Plot(
        tuple(inputs.detach().view(-1).tolist()),
        {word: tuple(values.view(-1).tolist()) for word, values in curves.items()},
    )
