"""Task ``functions``: fit a formula, the set on which Kolmogorov-Arnold networks are compared [1, 2, 3].

[1] Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756: ``f1``, ``f2``, ``bessel`` and ``sines``.
[2] Rigas et al. Initialization schemes for Kolmogorov-Arnold networks. arXiv 2509.03417: ``f3``, ``f4``.
[3] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338, whose formulas were not found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from scipy import special
from torch import Tensor

from automl import SplitName, Task, TaskKind, TensorSplit, derive_rng, digest_of
from automl_plugins.tasks._notices import announce
from automl_plugins.tasks._splits import PARTS, SplitOptions, draw_splits
from automl_plugins.tasks._values import Values

FunctionName = Literal["f1", "f2", "f3", "f4", "f5", "bessel", "sines"]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Formula:
    """A function of ``size`` numbers in [-1, 1]; ``value`` takes them as `(examples, size)`."""

    size: int
    text: str
    value: Callable[[Array], Array]


def _f3(x: Array) -> Array:
    return np.asarray(special.i1(x[:, 0]) + np.exp(special.i1e(x[:, 1])) + np.sin(x[:, 0] * x[:, 1]))


def _f4(x: Array) -> Array:
    sine, cosine = special.fresnel(_f3(x) + special.erfinv(x[:, 1]))
    return np.asarray(sine * cosine)


def _f5(x: Array) -> Array:
    return np.asarray(x[:, 1] * np.where(x[:, 0] < 0.5, 1.0, -1.0) + special.erf(x[:, 0]) * x[:, 0] * x[:, 1])


FORMULAS: Mapping[FunctionName, Formula] = {
    "f1": Formula(2, "x y", lambda x: np.asarray(x[:, 0] * x[:, 1])),
    "f2": Formula(2, "exp(sin(pi x) + y^2)", lambda x: np.asarray(np.exp(np.sin(np.pi * x[:, 0]) + x[:, 1] ** 2))),
    "f3": Formula(2, "I1(x) + exp(I1e(y)) + sin(x y)", _f3),
    "f4": Formula(2, "S(u) C(u), u = I1(x) + exp(I1e(y)) + sin(x y) + erfinv(y)", _f4),
    "f5": Formula(2, "y sgn(1/2 - x) + x y erf(x)", _f5),
    "bessel": Formula(1, "J0(20 x)", lambda x: np.asarray(special.j0(20 * x[:, 0]))),
    "sines": Formula(
        100,
        "exp(mean_i sin^2(pi x_i / 2))",
        lambda x: np.asarray(np.exp((np.sin(np.pi * x / 2) ** 2).mean(1))),
    ),
}
"""The formulas. That of ``f5``, with its jump at x = 1/2, is ours: the source says no more than that there is one."""


class FunctionsOptions(SplitOptions):
    """Options of `Functions`."""

    function: FunctionName = "f1"
    """The formula: f1 = xy, f2 = exp(sin(πx) + y²), f3 and f4 of special functions, f5 with a jump, bessel = J0(20x),
    sines = exp(mean sin²(πx/2)) of 100 numbers."""

    samples: int = Field(default=3000, ge=10)
    """Examples, drawn uniformly from [-1, 1] in every direction, all splits together."""

    noise: float = Field(default=0.0, ge=0)
    """Deviation of normal noise on the training targets, as a share of that of the function. Validation and test stay
    exact, so that `rmse` is the distance to the function."""


class Functions(Task):
    """A formula to fit from samples.

    Inputs are the samples as drawn, in [-1, 1], which is where grids start; targets are standardised by those of the
    training split, and ``rmse`` is in the unit of the formula.

    >>> task = Functions(FunctionsOptions(function="bessel", samples=100))
    >>> task.input_shape, [len(task.split(name)) for name in ("train", "validation", "test")]
    ((1,), [60, 20, 20])
    """

    paper = "Liu et al. KAN: Kolmogorov-Arnold networks. arXiv 2404.19756."
    Options = FunctionsOptions

    @property
    def formula(self) -> Formula:
        """What is fitted."""
        return FORMULAS[self.options.function]

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.formula.size,)

    @property
    def output_size(self) -> int:
        return 1

    @property
    def task_kind(self) -> TaskKind:
        return "regression"

    @property
    def output_scale(self) -> tuple[float, float]:
        return self._values.mean, self._values.unit

    def load(self, split: SplitName) -> TensorSplit:
        inputs, targets = self._examples[split]
        return TensorSplit(torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(self._values.apply(targets)))

    def metrics(self, outputs: Tensor, targets: Tensor) -> Mapping[str, float]:
        """Return the task's metrics; ``rmse`` in the unit of the formula, ``loss`` as trained on."""
        return self._values.metrics(self, outputs, targets)

    def digest(self) -> str:
        arrays = (array.tobytes() for part in PARTS for array in self._examples[part])
        return digest_of("functions", self.options.function, *arrays)

    @cached_property
    def _values(self) -> Values:
        return Values.of(self._examples["train"][1], f"functions {self.options.function}")

    @cached_property
    def _examples(self) -> dict[SplitName, tuple[Array, Array]]:
        """Inputs and targets of each split; the same samples for every noise."""
        options, formula = self.options, self.formula
        inputs = derive_rng(options.seed, "samples").uniform(-1.0, 1.0, (options.samples, formula.size))
        targets = formula.value(inputs)
        groups = np.zeros(options.samples, np.int64)
        source = f"functions {options.function}"
        rows = draw_splits(groups, options.shares("validation", "test"), options.seed, source)
        noise = derive_rng(options.seed, "noise").normal(size=options.samples) * (options.noise * targets.std())
        targets[rows["train"]] += noise[rows["train"]]
        announce(source, self.input_shape, formula.text, {part: len(rows[part]) for part in PARTS})
        return {part: (inputs[own], targets[own]) for part, own in rows.items()}
