"""Cells of four nodes with an operation on each of the six edges: NAS-Bench-201 [1, 2].

The walk asks for the operation of each edge in the order of the published tables: 0→1, 0→2, 1→2, 0→3, 1→3,
2→3. All 15,625 answers are valid, cells whose output no input reaches included.

What makes two cells one (`NasBench201.computed_graph`): the graph of the operations that the network
executes. Edges ``none`` and whatever pooling they starve are dropped, and skips are passed through, sums
flattened, so that node numbers and detours do not matter. Merged cells have the same parameters and compute
the same function, exactly:

* a shared operation stays shared: ``c + c`` is not ``c + c'`` with two convolutions of their own;
* a convolution of nothing still gives the bias of its batch normalisation, and is kept;
* a convolution that the output does not depend on still counts in the published numbers of parameters, so it
  is kept, as a node without edges; it is built but never executed.

Deviations from [1]: the network is smaller unless ``channels=16, cells_per_stage=5`` is set, and small images
are halved less often.

[1] Dong and Yang. NAS-Bench-201: Extending the scope of reproducible neural architecture search. 2020.
[2] Dong et al. NATS-Bench: Benchmarking NAS algorithms for architecture topology and size. 2021. (Its topology
    space.)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, cast

import networkx as nx
from pydantic import Field, field_validator

from automl import BaseOptions, Chooser, Decision, GraphSpace, InvalidArchitecture, Value
from automl_spaces.ops.activations.choice import (
    DEFAULT,
    Level,
    check_activation,
    choose_activation,
    encode_activation,
    mark_activation,
    take_activation,
)
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import nn

    from automl import Task

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
NODES = ("input", "node_1", "node_2", "output")

_NAMES = tuple(f"edge_{source}_{target}" for source, target in EDGES)
_OFFICIAL = re.compile(r"\|(\w+)~0\|\+\|(\w+)~0\|(\w+)~1\|\+\|(\w+)~0\|(\w+)~1\|(\w+)~2\|")


class NasBench201Options(BaseOptions):
    """Options of `NasBench201`. The network of [1] has ``channels=16`` and ``cells_per_stage=5``."""

    channels: int = Field(default=8, ge=1)
    """Channels of the first of the three stages; they double from stage to stage. Published: 16."""

    cells_per_stage: int = Field(default=1, ge=1, le=20)
    """Equal cells in each stage. Published: 5."""

    activation: str = DEFAULT
    """Activation of all layers in place of ReLU: a name of `automl list activations`, or `search` for a decision."""

    activation_level: Level = "curated"
    """What `search` offers: the twelve in common use, family and then member, or all at once."""

    @field_validator("activation")
    @classmethod
    def _known(cls, activation: str) -> str:
        return check_activation(activation)


@dataclass(frozen=True, slots=True)
class Cell:
    """The operations of the six edges, in the order of `EDGES`, and the activation of the whole network.

    >>> Cell.parse("|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|").operations[3]
    'skip_connect'
    """

    operations: tuple[str, ...]
    activation: str = DEFAULT

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Return the cell of an official string; raises `InvalidArchitecture` when it is none."""
        match = _OFFICIAL.fullmatch(text)
        if match is None or not set(match.groups()) <= set(OPERATIONS):
            raise InvalidArchitecture(
                f"{text!r} is no cell of NAS-Bench-201; write |a~0|+|b~0|c~1|+|d~0|e~1|f~2| with operations "
                f"among {', '.join(OPERATIONS)}"
            )
        return cls(cast("tuple[str, ...]", match.groups()))

    def __str__(self) -> str:
        """Return the official string."""
        a, b, c, d, e, f = self.operations
        return f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"


_RESIDUAL = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
NAMED: Mapping[str, Cell] = MappingProxyType(
    {
        "resnet": Cell.parse(_RESIDUAL),
        "all_conv_3x3": Cell(("nor_conv_3x3",) * len(EDGES)),
        "all_conv_1x1": Cell(("nor_conv_1x1",) * len(EDGES)),
    }
)
"""Cells with a name: `resnet` is two convolutions of 3 x 3 with a skip around both; the others have one operation."""


class NasBench201(GraphSpace[Cell]):
    """Cells of four nodes with an operation on each of six edges, stacked into a convolutional network.

    >>> space = NasBench201()
    >>> skip = Cell(("none", "none", "none", "skip_connect", "none", "none"))
    >>> detour = Cell(("skip_connect", "none", "none", "none", "skip_connect", "none"))
    >>> space.computed_graph(skip).edges == space.computed_graph(detour).edges
    True
    """

    paper: ClassVar[str] = "Dong and Yang. NAS-Bench-201. 2020."
    Options: ClassVar[type[BaseOptions]] = NasBench201Options
    named_blueprints = NAMED

    def decide(self, choose: Chooser) -> Cell:
        """Ask for the operation of each edge, then for the activation if it is open."""
        operations = tuple([choose.categorical(name, OPERATIONS, role="operation") for name in _NAMES])
        return Cell(operations, choose_activation(choose, self.options.activation, self.options.activation_level))

    def encode(self, blueprint: Cell) -> Mapping[str, Value]:
        """Return the operations by the name of their edge."""
        values: dict[str, Value] = dict(zip(_NAMES, blueprint.operations, strict=True))
        values.update(encode_activation(blueprint.activation, self.options.activation, self.options.activation_level))
        return values

    def check(self, task: Task) -> None:
        """Refuse tasks whose inputs are no images."""
        image_shape(task, "nas_bench_201")

    def build(self, blueprint: Cell, task: Task) -> nn.Module:
        """Return the network for images of any size.

        Raises:
            ConfigurationError: the task's inputs are no images.
        """
        from automl_spaces.ops.edge_cell import edge_cell_network

        operations = dict(zip(EDGES, blueprint.operations, strict=True))
        options = self.options
        channels, cells, activation = options.channels, options.cells_per_stage, blueprint.activation
        return edge_cell_network(operations, len(NODES), channels, cells, task, "nas_bench_201", activation)

    def title(self, blueprint: Cell) -> str:
        """Return the official string, and the activation unless it is ReLU."""
        return str(blueprint) if blueprint.activation == DEFAULT else f"{blueprint} {blueprint.activation}"

    def mutation_rates(self, decisions: list[Decision]) -> list[float]:
        """Return the chance that one operation changes on average; an activation changes as rarely as an edge."""
        return [1 / len(EDGES)] * len(decisions)

    def graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return the four nodes, all terminals, with the operations on the edges and no edge for ``none``."""
        graph: nx.DiGraph[Any] = nx.DiGraph()
        for node, label in enumerate(NODES):
            graph.add_node(node, label=label, terminal=True)
        for (source, target), operation in zip(EDGES, blueprint.operations, strict=True):
            if operation != "none":
                graph.add_edge(source, target, label=operation)
        mark_activation(graph, blueprint.activation, 0)
        return graph

    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> Cell:
        """Return the cell of a graph of `graph`'s form; a missing edge is ``none``, and nothing is drawn.

        Raises:
            InvalidArchitecture: the nodes are not the four terminals, or an edge is none of the six, or has an
                unknown operation.
        """
        activation, graph = take_activation(graph)
        labels = {node: str(attributes.get("label")) for node, attributes in graph.nodes(data=True)}
        if sorted(labels.values()) != sorted(NODES):
            found = ", ".join(sorted(labels.values()))
            raise InvalidArchitecture(f"a cell has the nodes {', '.join(NODES)}, but the graph has {found}")
        places = {node: NODES.index(label) for node, label in labels.items()}
        operations = dict.fromkeys(EDGES, "none")
        for source, target, attributes in graph.edges(data=True):
            edge, operation = (places[source], places[target]), str(attributes.get("label"))
            if edge not in operations or operation not in OPERATIONS:
                raise InvalidArchitecture(
                    f"edges go to a later node of {', '.join(NODES)} and are one of {', '.join(OPERATIONS)}, "
                    f"but found {operation!r} from {labels[source]} to {labels[target]}"
                )
            operations[edge] = operation
        return Cell(tuple(operations.values()), activation)

    def computed_graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return the executed operations as nodes, each fed by the terms of the sum that it reads.

        Terminals are ``input`` and ``output``. The label of an edge is how often the term occurs in the sum,
        if more than once. A convolution that does not reach the output is a node without edges.
        """
        sums: list[Counter[str]] = [Counter({"input": 1}), Counter(), Counter(), Counter()]
        read: dict[str, Counter[str]] = {}
        labels: dict[str, str] = {}
        for name, (source, target), operation in zip(_NAMES, EDGES, blueprint.operations, strict=True):
            if operation == "skip_connect":
                sums[target].update(sums[source])
            elif "conv" in operation or (operation != "none" and sums[source]):
                labels[name], read[name] = operation, sums[source]
                sums[target][name] = 1
        graph = _operation_graph(labels, {**read, "output": sums[-1]})
        mark_activation(graph, blueprint.activation, "input")
        return graph


def _operation_graph(labels: Mapping[str, str], read: Mapping[str, Counter[str]]) -> nx.DiGraph[Any]:
    """Return the graph of the operations that reach the output and of all convolutions.

    ``read`` are the terms that each operation, and the output, reads.
    """
    live, waiting = {"output"}, ["output"]
    while waiting:
        feeding = set(read.get(waiting.pop(), ())) - live
        live |= feeding
        waiting.extend(feeding)
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_node("input", label="input", terminal=True)
    for name, label in labels.items():
        if name in live or "conv" in label:
            graph.add_node(name, label=label)
    graph.add_node("output", label="output", terminal=True)
    for name in [name for name in read if name in live]:
        for term, count in read[name].items():
            graph.add_edge(term, name, label=str(count) if count > 1 else "")
    return graph
