"""Multilayer perceptrons: linear layers with an activation between them, the search space ``mlp``.

The walk asks for the depth, then for the width behind each layer but the last, then for what all hidden layers share:
activation, normalisation, dropout, and whether hidden layers add what they get to what they make. The decisions and
ranges are those of [1], widths and depths those of the space `kan`, so that the two can be compared.

A hidden layer is linear, normalisation, activation, dropout; where inputs and outputs are as many, a residual one is
``x + layer(x)``. Whether layers are residual is asked only where some hidden layer can be. Weights start as those of
PyTorch's linear layers.

[1] Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, field_validator

from automl import BaseOptions, Chooser, SearchSpace, Task
from automl_spaces.ops.activations.choice import SEARCH, Level, check_activation, choose_activation

if TYPE_CHECKING:
    from torch import nn

Norm: TypeAlias = Literal["none", "batch_norm", "layer_norm"]


def _distinct(values: tuple[object, ...]) -> tuple[object, ...]:
    if not values or len(set(values)) < len(values):
        raise ValueError("needs one value or more, all different")
    return values


_Distinct = AfterValidator(_distinct)


class MlpOptions(BaseOptions):
    """Options of `Mlp`; shorten a tuple to search less."""

    depths: Annotated[tuple[Annotated[int, Field(ge=1, le=16)], ...], _Distinct] = (1, 2, 3, 4)
    """Numbers of linear layers, the last one included."""

    widths: Annotated[tuple[Annotated[int, Field(ge=1, le=65536)], ...], _Distinct] = (2, 4, 8, 16, 32, 64, 128, 256)
    """Numbers of units between two layers."""

    activation: str = SEARCH
    """Activation of all hidden layers: a name of `automl list activations`, or `search` for a decision."""

    activation_level: Level = "curated"
    """What `search` offers: the twelve in common use, family and then member, or all at once."""

    norms: Annotated[tuple[Norm, ...], _Distinct] = ("none", "batch_norm", "layer_norm")
    """Normalisations between a hidden layer and its activation."""

    dropouts: Annotated[tuple[Annotated[float, Field(ge=0, lt=1)], ...], _Distinct] = (0.0, 0.1, 0.3)
    """Shares of the units that are dropped behind each activation."""

    residuals: Annotated[tuple[bool, ...], _Distinct] = (False, True)
    """Whether hidden layers with as many outputs as inputs add their input."""

    @field_validator("activation")
    @classmethod
    def _known(cls, activation: str) -> str:
        return check_activation(activation)


@dataclass(frozen=True, slots=True)
class MlpBlueprint:
    """A network without the sizes that its task decides.

    Attributes:
        widths: units behind each layer but the last, `(layers - 1,)`.
        activation: of all hidden layers; empty without one, and then the rest is at its default.
        norm: normalisation before the activation; ``dropout`` behind it, a share.
        is_residual: whether layers with as many outputs as inputs add their input.
    """

    widths: tuple[int, ...]
    activation: str = ""
    norm: Norm = "none"
    dropout: float = 0.0
    is_residual: bool = False


class Mlp(SearchSpace[MlpBlueprint]):
    """Perceptrons of one to four layers on the flattened inputs of any task.

    >>> from numpy.random import default_rng
    >>> space = Mlp(MlpOptions(depths=(3,), widths=(64,), activation="gelu", dropouts=(0.1,), norms=("layer_norm",)))
    >>> space.title(space.blueprint(space.sample(default_rng(0))))
    '64 -> 64, gelu, layer_norm, dropout 0.1, residual'
    """

    paper: ClassVar[str] = "Yu et al. KAN or MLP: a fairer comparison. arXiv 2407.16674."
    Options: ClassVar[type[BaseOptions]] = MlpOptions

    def decide(self, choose: Chooser) -> MlpBlueprint:
        """Ask for the depth and the widths, then for what hidden layers share, where there are any."""
        options = self.options
        depth = choose.categorical("depth", options.depths)
        widths = tuple(
            [choose.categorical(f"width_{number}", options.widths, role="width") for number in range(depth - 1)]
        )
        if not widths:
            return MlpBlueprint(widths)
        activation = choose_activation(choose, options.activation, options.activation_level)
        norm = choose.categorical("norm", options.norms)
        dropout = choose.categorical("dropout", options.dropouts)
        can_be_residual = any(before == behind for before, behind in itertools.pairwise(widths))
        is_residual = can_be_residual and choose.categorical("residual", options.residuals)
        return MlpBlueprint(widths, activation, norm, dropout, is_residual)

    def build(self, blueprint: MlpBlueprint, task: Task) -> nn.Module:
        """Return an `nn.Sequential` of `nn.Flatten`, a hidden layer for each width, and an `nn.Linear`."""
        from torch import nn

        from automl_spaces.ops.residual import Residual

        network = nn.Sequential(nn.Flatten())
        inputs = math.prod(task.input_shape)
        for place, width in enumerate(blueprint.widths):
            layer = _hidden(inputs, width, blueprint)
            # The first layer's inputs are the task's, which may be as many by accident.
            is_residual = blueprint.is_residual and place > 0 and inputs == width
            network.append(Residual(layer) if is_residual else layer)
            inputs = width
        network.append(nn.Linear(inputs, task.output_size))
        return network

    def title(self, blueprint: MlpBlueprint) -> str:
        """Return the widths, and what hidden layers share."""
        if not blueprint.widths:
            return "linear"
        parts = [" -> ".join(map(str, blueprint.widths)), blueprint.activation]
        parts += [blueprint.norm] if blueprint.norm != "none" else []
        parts += [f"dropout {blueprint.dropout:g}"] if blueprint.dropout else []
        parts += ["residual"] if blueprint.is_residual else []
        return ", ".join(parts)


def _hidden(inputs: int, outputs: int, blueprint: MlpBlueprint) -> nn.Sequential:
    """Return one hidden layer."""
    from torch import nn

    from automl_spaces.ops import activations

    # A bias would be taken off again by batch normalisation, which has one of its own.
    layer = nn.Sequential(nn.Linear(inputs, outputs, bias=blueprint.norm != "batch_norm"))
    if blueprint.norm != "none":
        layer.append(nn.BatchNorm1d(outputs) if blueprint.norm == "batch_norm" else nn.LayerNorm(outputs))
    layer.append(activations.make(blueprint.activation, outputs))
    if blueprint.dropout:
        layer.append(nn.Dropout(blueprint.dropout))
    return layer
