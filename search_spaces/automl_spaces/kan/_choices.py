"""The decisions of one layer, which both spaces ask. Imports no torch: a walk looks the families up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field

from automl import BaseOptions, Chooser

if TYPE_CHECKING:
    from automl_spaces.kan.layers import KanSpec

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
BaseName: TypeAlias = Literal["none", "identity", "silu"]
BeforeName: TypeAlias = Literal["none", "layer_norm", "tanh", "min_max"]
AfterName: TypeAlias = Literal["none", "batch_norm", "layer_norm"]
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

    families: Annotated[tuple[FamilyName, ...], Distinct] = tuple(
        name for name in get_args(FamilyName) if name != "polynomial"
    )
    """Families of functions. `polynomial` is there too, but badly conditioned, and so has to be asked for."""

    bases: Annotated[tuple[BaseName, ...], Distinct] = ("none", "identity", "silu")
    """Fixed functions beside the learnt ones, with a weight for each edge."""

    befores: Annotated[tuple[BeforeName, ...], Distinct] = ("none", "layer_norm", "tanh", "min_max")
    """Normalisations in front of a layer. Families that live on [-1, 1] clip there after `none`."""

    afters: Annotated[tuple[AfterName, ...], Distinct] = ("none", "batch_norm", "layer_norm")
    """Normalisations behind a layer that is not the last."""


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The decisions of one layer, but for its size.

    Attributes:
        family: name of the functions.
        settings: the family's own decisions, by name.
        base: fixed function beside them; ``before`` and ``after`` alike.

    >>> LayerChoice("chebyshev", (("degree", 4),), "silu", "tanh", "none").title()
    'chebyshev(degree=4, tanh) + silu'
    """

    family: FamilyName
    settings: tuple[tuple[str, int | float | str | bool], ...]
    base: BaseName
    before: BeforeName
    after: AfterName

    def spec(self) -> KanSpec:
        """Return the layer without its size, as the layers take it."""
        from automl_spaces.kan.layers import KanSpec, make_family

        family = make_family(self.family, **dict(self.settings))
        return KanSpec(family=family, base=self.base, before=self.before, after=self.after)

    def title(self) -> str:
        """Return the family with its decisions and the normalisation in front, the base, and what comes behind."""
        inside = [f"{name}={value}" for name, value in self.settings]
        inside += [self.before] if self.before != "none" else []
        base = f" + {self.base}" if self.base != "none" else ""
        after = f" > {self.after}" if self.after != "none" else ""
        return f"{self.family}({', '.join(inside)}){base}{after}"


def choose_layer(choose: Chooser, label: int | str, options: LayerOptions, *, is_last: bool) -> LayerChoice:
    """Ask for the layer called ``label``; what exists for one family alone is asked for that family alone.

    Nothing comes behind the last layer: its sums are the answer.
    """
    from automl_spaces.kan.layers import FAMILIES

    family = choose.categorical(f"family_{label}", options.families, role="family")
    settings = tuple(
        (name, choose.categorical(f"{family}_{name}_{label}", values, role=f"{family}_{name}"))
        for name, values in FAMILIES[family].choices.items()
    )
    base = choose.categorical(f"base_{label}", options.bases, role="base")
    before = choose.categorical(f"before_{label}", options.befores, role="before")
    after: AfterName = "none"
    if not is_last:
        after = choose.categorical(f"after_{label}", options.afters, role="after")
    return LayerChoice(family, settings, base, before, after)
