"""Layers that normalise and activate, as expressions of ten nodes: the search space of EvoNorm [1].

The walk asks for each node's type of operation, for its index set where it aggregates, and for its operands among the
earlier nodes: types first, then index sets, so that a random node is an addition as often as a mean. About two thirds
of random expressions do not depend on their input. They are drawn again, unless ``members = "all"``: in [1] they are
members, and tests reject them.

A mutation of [1] redraws one node, operation and operands: that is `EvoNorm.perturb`, which `regularized_evolution`
uses here unless it is told otherwise. `EvoNorm.mutate` changes one answer, as in every space; both leave the other
nodes alone.

See `expression` for the graph and what we decided about it, `compiled` for the module, `backbones` for the network
around it.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

import networkx as nx
from pydantic import Field

from automl import (
    Architecture,
    BaseOptions,
    Chooser,
    Decision,
    Explanation,
    GraphSpace,
    InvalidArchitecture,
    RandomChooser,
    ReplayChooser,
    Task,
    Value,
)
from automl_spaces.evonorm.expression import (
    AGGREGATIONS,
    ARITY,
    INITIAL,
    OPERATIONS,
    Expression,
    Node,
    Series,
    index_sets,
)
from automl_spaces.evonorm.graphs import computed_graph_of, expression_of, graph_of
from automl_spaces.evonorm.named import NAMED
from automl_spaces.evonorm.screening import DEFECTS, screen
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import nn

Backbone = Literal["resnet", "mobilenet", "efficientnet"]


class EvoNormOptions(BaseOptions):
    """Options of `EvoNorm`."""

    nodes: int = Field(default=10, ge=1, le=20)
    """Intermediate nodes of an expression; four initial ones come on top. Published: 10."""

    members: Literal["live", "all"] = "live"
    """`live`: expressions that depend on their input, by their graph; `all`: the others too, as published."""

    series: Series = "B"
    """`B` layers may aggregate over the batch; `S` layers are the same for every batch."""

    groups: int = Field(default=32, ge=1)
    """Groups of channels of the index set `whc/g`; lowered until they divide the channels."""

    epsilon: float = Field(default=1e-5, gt=0, lt=1)
    """Keeps roots, divisors and logarithms from being singular."""

    momentum: float = Field(default=0.1, gt=0, le=1)
    """Weight of the newest batch in running moments."""

    backbone: Backbone = "resnet"
    """The network around the layer: pre-activation residual, or after MobileNetV2 or EfficientNet. An evaluator can be
    asked for several, whatever this is: `--set train.variants=all`."""

    width: int = Field(default=8, ge=1)
    """Channels of the first stage; they double from stage to stage."""

    depth: int = Field(default=1, ge=1, le=20)
    """Blocks in each stage."""

    stages: int = Field(default=2, ge=1, le=6)
    """Stages, with halved images between them where they are large enough. Two suit small images and a CPU; take three
    for CIFAR-10."""


class EvoNorm(GraphSpace[Expression]):
    """Normalisation-activation layers, in a small network for images.

    >>> space = EvoNorm()
    >>> space.title(space.blueprint(space.named("evonorm_s0")))
    'sigmoid(v1 * x) * x / std{whc/g}(x)'
    """

    paper: ClassVar[str] = "Liu et al. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967."
    Options: ClassVar[type[BaseOptions]] = EvoNormOptions
    published_mutation = "perturb"
    named_blueprints = NAMED

    def decide(self, choose: Chooser) -> Expression:
        """Ask for the nodes in order: operation, index set if it aggregates, operands."""
        sets = index_sets(self.options.series)
        nodes = []
        for number in range(len(INITIAL), len(INITIAL) + self.options.nodes):
            operation = choose.categorical(f"operation_{number}", OPERATIONS, role="operation")
            over = ""
            if operation in AGGREGATIONS:
                over = choose.categorical(f"over_{number}", sets, role="over")
            operands = [choose.index(f"operand_{number}", number, role="operand")]
            if ARITY[operation] == 2:
                operands.append(choose.index(f"other_operand_{number}", number, role="operand"))
            nodes.append(Node(operation, tuple(operands), over))
        expression = Expression(tuple(nodes))
        if self.options.members == "live" and not expression.depends_on_x():
            raise InvalidArchitecture("the output does not depend on the input; connect them, or set members=all")
        return expression

    def encode(self, blueprint: Expression) -> Mapping[str, Value]:
        """Return the answers for ``blueprint``; one of fewer nodes is padded with dead ones.

        Raises:
            InvalidArchitecture: it has more nodes than the space.
        """
        values: dict[str, Value] = {}
        for number, node in blueprint.padded(self.options.nodes).numbered():
            values[f"operation_{number}"] = node.operation
            if node.over:
                values[f"over_{number}"] = node.over
            for name, operand in zip(("operand", "other_operand"), node.operands, strict=False):
                values[f"{name}_{number}"] = operand
        return values

    def check(self, task: Task) -> None:
        """Refuse tasks whose inputs are no images."""
        image_shape(task, "evonorm")

    def build(self, blueprint: Expression, task: Task) -> nn.Module:
        """Return the backbone with the layer in the place of every normalisation and activation.

        Raises:
            ConfigurationError: the task's inputs are no images.
        """
        return self.build_variant(blueprint, task, self.options.backbone)

    @property
    def variants(self) -> tuple[str, ...]:
        """The three backbones, in each of which [1] scores a layer."""
        return get_args(Backbone)

    def build_variant(self, blueprint: Expression, task: Task, variant: str) -> nn.Module:
        """Return the backbone ``variant`` with the layer in it, whatever the option `backbone` is.

        Raises:
            ConfigurationError: there is no such backbone, or the task's inputs are no images.
        """
        from automl_spaces.evonorm import backbones

        if variant not in self.variants:
            return super().build_variant(blueprint, task, variant)
        options = self.options
        network = {
            "resnet": backbones.resnet,
            "mobilenet": backbones.mobilenet,
            "efficientnet": backbones.efficientnet,
        }[variant]
        sizes = backbones.Sizes(width=options.width, depth=options.depth, stages=options.stages)
        return network(self.layer_factory(blueprint), task, sizes)

    def layer_factory(self, blueprint: Expression) -> Callable[[int], nn.Module]:
        """Return what makes the layer for a number of channels."""
        from automl_spaces.evonorm.compiled import compile_layer

        options = self.options

        def layer(channels: int) -> nn.Module:
            return compile_layer(
                blueprint, channels, groups=options.groups, epsilon=options.epsilon, momentum=options.momentum
            )

        return layer

    def title(self, blueprint: Expression) -> str:
        """Return the formula."""
        return blueprint.formula()

    def explain(self, blueprint: Expression, network: nn.Module, task: Task) -> Explanation:
        """Return the layer's formula, the range of its parameters, and its graph."""
        from automl_spaces.evonorm.explain import explain

        return explain(blueprint, network)

    def defect(self, blueprint: Expression) -> str | None:
        """Return what `screen` has against the layer: no dependence on its input, not finite, constant, identity."""
        reason = screen(blueprint).reason
        return None if reason is None else DEFECTS[reason]

    def function_key(self, blueprint: Expression) -> str | None:
        """Return the fingerprint of the layer's outputs; ``None`` where it has no finite ones that depend on x."""
        return screen(blueprint).fingerprint or None

    def mutation_rates(self, decisions: list[Decision]) -> list[float]:
        """Return the chance that `perturb` redraws a decision's node."""
        return [1 / self.options.nodes] * len(decisions)

    def perturb(self, architecture: Architecture, rng: Generator) -> Architecture:
        """Redraw one node, operation, index set and operands, each uniformly: the mutation of [1].

        Drawn again, the place too, if nothing changed or the result is no member.
        """
        child = architecture
        while child == architecture:
            place = f"_{len(INITIAL) + int(rng.integers(self.options.nodes))}"
            kept = {name: value for name, value in architecture.items() if not name.endswith(place)}
            with contextlib.suppress(InvalidArchitecture):
                child = self.record(ReplayChooser(kept, RandomChooser(rng)))
        return child

    def graph(self, blueprint: Expression) -> nx.DiGraph[Any]:
        """Return all nodes; the initial ones and the output are terminals."""
        return graph_of(blueprint)

    def computed_graph(self, blueprint: Expression) -> nx.DiGraph[Any]:
        """Return the graph without dead nodes, equal sub-expressions merged; operands have no order but in DIV."""
        return computed_graph_of(blueprint)

    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> Expression:
        """Return the expression of a graph; what it leaves open is drawn by ``rng`` (see `graphs.expression_of`).

        Raises:
            InvalidArchitecture: a cycle, an unknown label, or more live nodes than the space has.
        """
        return expression_of(graph, self.options.nodes, self.options.series, rng)
