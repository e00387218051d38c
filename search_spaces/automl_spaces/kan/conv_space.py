"""Convolutional Kolmogorov-Arnold networks: the search space ``conv_kan`` [1, 2].

Stages of one convolution each, whose kernels hold functions; a pooling halves the image between two stages while both
sides have at least two pixels. Behind the last one the pixels are averaged, and a head makes the outputs: a linear
layer, or a layer of functions of its own. Sizes are ours, for networks that train in seconds; those of [1] are eight
layers deep.

[1] Drokin. Kolmogorov-Arnold convolutions: design principles and empirical studies. arXiv 2407.01092.
[2] Yang et al. Activation space selectable Kolmogorov-Arnold networks. arXiv 2408.08338.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, TypeAlias

from pydantic import Field

from automl import Architecture, BaseOptions, Chooser, ReplayChooser, Supernet, Task, Value
from automl_spaces.kan._choices import (
    Distinct,
    LayerChoice,
    LayerOptions,
    Width,
    answers_of,
    choose_layer,
    convolution,
    linear_layer,
)
from automl_spaces.kan._growing import GrowingSpace
from automl_spaces.kan.operators import CONV_GROWTH, LAYER_OPERATORS, in_one_layer, wider, with_nodes
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import nn

Pooling: TypeAlias = Literal["max", "average"]
Head: TypeAlias = Literal["linear", "kan"]


class ConvKanOptions(LayerOptions):
    """Options of `ConvKan`."""

    depths: Annotated[tuple[Annotated[int, Field(ge=1, le=8)], ...], Distinct] = (1, 2, 3)
    """Numbers of stages."""

    widths: Annotated[tuple[Width, ...], Distinct] = (4, 8, 16, 32)
    """Numbers of channels of a stage."""

    kernels: Annotated[tuple[Literal[1, 3, 5, 7], ...], Distinct] = (1, 3, 5)
    """Sides of the kernels."""

    heads: Annotated[tuple[Head, ...], Distinct] = ("linear", "kan")
    """What makes the outputs of the averaged pixels."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One convolution: channels out, side of the kernel, and the layer's decisions."""

    width: int
    kernel: int
    layer: LayerChoice


@dataclass(frozen=True, slots=True)
class ConvKanBlueprint:
    """Stages, the pooling between them where there are several, and the decisions of a head of functions."""

    stages: tuple[Stage, ...]
    pooling: Pooling | None
    head: LayerChoice | None


class ConvKan(GrowingSpace[ConvKanBlueprint]):
    """Networks for images, of one to three convolutions whose kernels hold learnt functions.

    >>> from numpy.random import default_rng
    >>> space = ConvKan(ConvKanOptions(families=("rbf",), depths=(1,), befores=("none",), heads=("linear",)))
    >>> space.title(space.blueprint(space.sample(default_rng(0))))
    '32 of 3x3 rbf(centres=8); linear head'
    """

    paper: ClassVar[str] = "Drokin. Kolmogorov-Arnold convolutions. arXiv 2407.01092."
    Options: ClassVar[type[BaseOptions]] = ConvKanOptions
    growth: ClassVar[Sequence[str]] = CONV_GROWTH

    def decide(self, choose: Chooser) -> ConvKanBlueprint:
        """Ask for the number of stages, for each stage, for the pooling, and for the head."""
        options, stages = self.options, []
        depth = choose.categorical("depth", options.depths)
        channels = None
        for number in range(depth):
            width = choose.categorical(f"width_{number}", options.widths, role="width")
            kernel = choose.categorical(f"kernel_{number}", options.kernels, role="kernel")
            count = options.choices(channels)
            stages.append(Stage(width, kernel, choose_layer(choose, number, options, is_last=False, count=count)))
            channels = width
        poolings: tuple[Pooling, ...] = ("max", "average")
        pooling = choose.categorical("pooling", poolings) if depth > 1 else None
        head = choose.categorical("head", options.heads)
        count = options.choices(channels)
        last = choose_layer(choose, "head", options, is_last=True, count=count) if head == "kan" else None
        return ConvKanBlueprint(tuple(stages), pooling, last)

    def encode(self, blueprint: ConvKanBlueprint) -> dict[str, Value]:
        """Return the answers that make `decide` return ``blueprint``: the inverse of the walk."""
        is_per_node, head = self.options.per == "node", blueprint.head
        values: dict[str, Value] = {"depth": len(blueprint.stages), "head": "linear" if head is None else "kan"}
        if blueprint.pooling is not None:
            values["pooling"] = blueprint.pooling
        for number, stage in enumerate(blueprint.stages):
            values |= {f"width_{number}": stage.width, f"kernel_{number}": stage.kernel}
            values |= answers_of(stage.layer, number, is_last=False, is_per_node=is_per_node)
        if head is not None:
            values |= answers_of(head, "head", is_last=True, is_per_node=is_per_node)
        return values

    def check(self, task: Task) -> None:
        """Refuse tasks whose inputs are no images."""
        image_shape(task, "conv_kan")

    def build(self, blueprint: ConvKanBlueprint, task: Task) -> nn.Module:
        """Return an `nn.Sequential` of convolutions, poolings and the head.

        Raises:
            ConfigurationError: the task's inputs are no images.
        """
        from torch import nn

        channels, height, width = image_shape(task, "conv_kan")
        pooling = nn.MaxPool2d if blueprint.pooling == "max" else nn.AvgPool2d
        network = nn.Sequential()
        for number, stage in enumerate(blueprint.stages):
            if number and min(height, width) > 1:
                network.append(pooling(2))
                height, width = height // 2, width // 2
            network.append(convolution(channels, stage.width, stage.kernel, stage.layer))
            channels = stage.width
        network.extend([nn.AdaptiveAvgPool2d(1), nn.Flatten()])
        head = blueprint.head
        network.append(
            nn.Linear(channels, task.output_size) if head is None else linear_layer(channels, task.output_size, head)
        )
        return network

    def supernet(self, task: Task) -> Supernet:
        """Return the weights of all architectures; see `automl_spaces.kan.supernet` for what is shared.

        Raises:
            ConfigurationError: the family `selected` is among the options.
        """
        from automl_spaces.kan.supernet import conv_kan_supernet

        return conv_kan_supernet(self, task)

    def grow(self, architecture: Architecture, operator: str, rng: Generator) -> Architecture | None:
        """Apply one of `CONV_GROWTH`; ``None`` where it does not apply."""
        blueprint, options = self.blueprint(architecture), self.options
        widths = [stage.width for stage in blueprint.stages]
        layers = [stage.layer for stage in blueprint.stages]
        layers += [] if blueprint.head is None else [blueprint.head]
        if operator == "widen":
            found = wider(widths, layers, options.widths, rng)
            if found is None:
                return None
            place, widths[place] = found
            if place + 1 < len(layers):
                layers[place + 1] = with_nodes(layers[place + 1], options.choices(widths[place]), options, rng)
        else:
            changed = in_one_layer(LAYER_OPERATORS[operator], layers, options, rng)
            if changed is None:
                return None
            layers = list(changed)
        stages = tuple(
            replace(stage, width=width, layer=layer)
            for stage, width, layer in zip(blueprint.stages, widths, layers, strict=False)
        )
        head = None if blueprint.head is None else layers[-1]
        return self.record(ReplayChooser(self.encode(replace(blueprint, stages=stages, head=head))))

    def morph(
        self, network: nn.Module, old: ConvKanBlueprint, new: ConvKanBlueprint, task: Task, *, seed: int = 0
    ) -> nn.Module | None:
        """Return the network of ``new`` with the function of ``network``, which is one of ``old``: see `Kan.morph`.

        The pixels at the border see a constant function as 0 beyond it, so that there families with and without
        constants differ.
        """
        from automl_spaces.kan.morphing import morph_into

        if len(old.stages) != len(new.stages):
            return None
        return morph_into(network, lambda: self.build(new, task), task, seed)

    def title(self, blueprint: ConvKanBlueprint) -> str:
        """Return the stages, the pooling and the head."""
        stages = " -> ".join(
            f"{stage.width} of {stage.kernel}x{stage.kernel} {stage.layer.title()}" for stage in blueprint.stages
        )
        head = "linear head" if blueprint.head is None else f"head {blueprint.head.title()}"
        pooling = f"{blueprint.pooling} pooling, " if blueprint.pooling else ""
        return f"{stages}; {pooling}{head}"
