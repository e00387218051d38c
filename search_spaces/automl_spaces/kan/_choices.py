"""The decisions of one layer, which both spaces ask. Imports no torch: a walk looks the families up."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal, Self, TypeAlias, get_args

from pydantic import AfterValidator, Field, model_validator

from automl import BaseOptions, Chooser, Value

if TYPE_CHECKING:
    from torch import nn

    from automl_spaces.kan.layers import Family, KanSpec

FamilyName: TypeAlias = Literal[
    "bspline",
    "rbf",
    "rswaf",
    "chebyshev",
    "legendre",
    "jacobi",
    "gram",
    "bernstein",
    "fourier",
    "sine",
    "wavelet",
    "relu_kan",
    "rational",
    "piecewise_linear",
    "polynomial",
]
FunctionName: TypeAlias = FamilyName | Literal["selected"]
BaseName: TypeAlias = Literal["none", "identity", "silu"]
BeforeName: TypeAlias = Literal["none", "layer_norm", "tanh", "min_max"]
AfterName: TypeAlias = Literal["none", "batch_norm", "layer_norm"]
Setting: TypeAlias = int | float | str | bool
Width: TypeAlias = Annotated[int, Field(ge=1, le=4096)]


def distinct(values: tuple[object, ...]) -> tuple[object, ...]:
    """Return ``values``; raises `ValueError`, as validators do, when one is there twice or there are none."""
    if not values or len(set(values)) < len(values):
        raise ValueError("needs one value or more, all different")
    return values


Distinct = AfterValidator(distinct)
"""For options that are the answers of a decision."""


class LayerOptions(BaseOptions):
    """What layers are made of; shorten a tuple to search less."""

    families: Annotated[tuple[FunctionName, ...], Distinct] = tuple(
        name for name in get_args(FamilyName) if name != "polynomial"
    )
    """Families of functions. `polynomial` is there too, but badly conditioned, and so has to be asked for; and so is
    `selected`, with which every node of a layer learns which family of `pool` to have (evaluator `select`)."""

    pool: Annotated[tuple[FamilyName, ...], Distinct, Field(min_length=2)] = ("bspline", "rbf", "chebyshev", "wavelet")
    """What the nodes of a layer with the family `selected` learn to choose from, with the default settings."""

    bases: Annotated[tuple[BaseName, ...], Distinct] = ("none", "identity", "silu")
    """Fixed functions beside the learnt ones, with a weight for each edge."""

    befores: Annotated[tuple[BeforeName, ...], Distinct] = ("none", "layer_norm", "tanh", "min_max")
    """Normalisations in front of a layer. Families that live on [-1, 1] clip there after `none`."""

    afters: Annotated[tuple[AfterName, ...], Distinct] = ("none", "batch_norm", "layer_norm")
    """Normalisations behind a layer that is not the last."""

    per: Literal["layer", "node"] = "layer"
    """What chooses a family: each `layer`, or each `node` (of images, channel) in front of a layer, as published."""

    input_groups: int = Field(default=2, ge=1, le=64)
    """Choices of the first layer where nodes choose: input `i` takes that at `i` modulo their number."""

    node_groups: int = Field(default=4, ge=1, le=64)
    """Most choices of another layer where nodes choose; the nodes of wider layers take them in turn."""

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        """Raise `ValueError` where nodes would choose twice: by a decision, and by training."""
        if self.per == "node" and "selected" in self.families:
            raise ValueError(
                'with the family `selected` nodes learn what to have; leave it out, or set `per = "layer"`'
            )
        return self

    def choices(self, nodes: int | None) -> int | None:
        """Return how many choices ``nodes`` make, ``None`` for the task's inputs; ``None`` where the layer chooses."""
        if self.per == "layer":
            return None
        return self.input_groups if nodes is None else min(nodes, self.node_groups)


@dataclass(frozen=True, slots=True)
class FunctionChoice:
    """A family and its own decisions.

    Attributes:
        family: name of the functions.
        settings: the family's own decisions, by name.
        pool: of ``selected``, the families that each node learns to choose from.

    >>> FunctionChoice("chebyshev", (("degree", 4),)).short()
    'chebyshev(4)'
    """

    family: FunctionName
    settings: tuple[tuple[str, Setting], ...]
    pool: tuple[FamilyName, ...] = ()

    def make(self) -> Family:
        """Return the family, as the layers take it."""
        from automl_spaces.kan.layers import make_family

        return make_family(self.family, **dict(self.settings))

    def short(self) -> str:
        """Return the family with the values of its decisions."""
        return f"{self.family}({', '.join(str(value) for _, value in self.settings)})"


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The decisions of one layer, but for its size.

    Attributes:
        functions: one for all nodes in front, or several: node ``i`` has the one at ``i`` modulo their number.
        base: fixed function beside them; ``before`` and ``after`` alike.

    >>> LayerChoice((FunctionChoice("chebyshev", (("degree", 4),)),), "silu", "tanh", "none").title()
    'chebyshev(degree=4, tanh) + silu'
    """

    functions: tuple[FunctionChoice, ...]
    base: BaseName
    before: BeforeName
    after: AfterName

    def specs(self, nodes: int) -> list[KanSpec]:
        """Return, for each of so many nodes, the layer without its size, as the layers take it."""
        from automl_spaces.kan.layers import KanSpec

        made = [
            KanSpec(family=each.make(), base=self.base, before=self.before, after=self.after) for each in self.functions
        ]
        return [made[node % len(made)] for node in range(nodes)]

    def pool_specs(self) -> list[KanSpec]:
        """Return what the nodes learn to choose from; nothing where they need not."""
        only = self.functions[0]
        members = [FunctionChoice(name, ()) for name in only.pool]
        return [replace(self, functions=(member,)).specs(1)[0] for member in members]

    def title(self) -> str:
        """Return the functions with the normalisation in front, the base, and what comes behind.

        Several functions are shortened to their values, equal ones are counted.
        """
        inside: list[str] = [self.before] if self.before != "none" else []
        if len(self.functions) == 1:
            only = self.functions[0]
            pool = [" | ".join(only.pool)] if only.pool else []
            listed = ", ".join(pool + [f"{name}={value}" for name, value in only.settings] + inside)
            head = f"{only.family}({listed})"
        else:
            counts = Counter(each.short() for each in self.functions)
            listed = " | ".join(f"{count}x {short}" if count > 1 else short for short, count in counts.items())
            head = f"{{{listed}}}" + "".join(f"({name})" for name in inside)
        base = f" + {self.base}" if self.base != "none" else ""
        after = f" > {self.after}" if self.after != "none" else ""
        return f"{head}{base}{after}"


def choose_layer(
    choose: Chooser, label: int | str, options: LayerOptions, *, is_last: bool, count: int | None = None
) -> LayerChoice:
    """Ask for the layer called ``label``: one family, or ``count`` of them; nothing comes behind the last layer."""
    labels = _labels(label, count)
    functions = tuple(choose_function(choose, each, options) for each in labels)
    base = choose.categorical(f"base_{label}", options.bases, role="base")
    before = choose.categorical(f"before_{label}", options.befores, role="before")
    after: AfterName = "none"
    if not is_last:
        after = choose.categorical(f"after_{label}", options.afters, role="after")
    return LayerChoice(functions, base, before, after)


def choose_function(choose: Chooser, label: int | str, options: LayerOptions) -> FunctionChoice:
    """Ask for a family; what exists for one family alone is asked for that family alone."""
    from automl_spaces.kan.layers import FAMILIES

    family = choose.categorical(f"family_{label}", options.families, role="family")
    if family == "selected":
        return FunctionChoice(family, (), options.pool)
    settings = tuple(
        (name, choose.categorical(f"{family}_{name}_{label}", values, role=f"{family}_{name}"))
        for name, values in FAMILIES[family].choices.items()
    )
    return FunctionChoice(family, settings)


def answers_of(layer: LayerChoice, label: int | str, *, is_last: bool, is_per_node: bool = False) -> dict[str, Value]:
    """Return the answers that make `choose_layer` return ``layer``."""
    values: dict[str, Value] = {}
    labels = _labels(label, len(layer.functions) if is_per_node else None)
    for each, function in zip(labels, layer.functions, strict=True):
        values[f"family_{each}"] = function.family
        values |= {f"{function.family}_{name}_{each}": value for name, value in function.settings}
    values |= {f"base_{label}": layer.base, f"before_{label}": layer.before}
    return values if is_last else {**values, f"after_{label}": layer.after}


def linear_layer(inputs: int, outputs: int, choice: LayerChoice) -> nn.Module:
    """Return the fully connected layer: one product, or one for each family where nodes have several or choose."""
    from automl_spaces.kan.layers import KanLinear, MixedKanLinear
    from automl_spaces.kan.selection import SelectableKanLinear

    pool = choice.pool_specs()
    if pool:
        return SelectableKanLinear(inputs, outputs, pool)
    specs = choice.specs(inputs)
    if len(set(specs)) == 1:
        return KanLinear(inputs, outputs, specs[0])
    return MixedKanLinear(inputs, outputs, specs, range(inputs))


def convolution(channels: int, outputs: int, kernel: int, choice: LayerChoice) -> nn.Module:
    """Return the convolution; as `linear_layer`."""
    from automl_spaces.kan.layers import KanConv, MixedKanConv
    from automl_spaces.kan.selection import SelectableKanConv

    pool = choice.pool_specs()
    if pool:
        return SelectableKanConv(channels, outputs, kernel, pool)
    specs = choice.specs(channels)
    if len(set(specs)) == 1:
        return KanConv(channels, outputs, kernel, specs[0])
    return MixedKanConv(channels, outputs, kernel, specs, range(channels))


def _labels(label: int | str, count: int | None) -> list[int | str]:
    return [label] if count is None else [f"{label}_{node}" for node in range(count)]
