"""Cells with operations on the nodes, stacked into a convolutional network: NAS-Bench-101 [1].

A cell is a directed acyclic graph of up to ``max_nodes`` nodes, input and output included, and ``max_edges``
edges; every inner node applies one operation. With the defaults of ``max_nodes``, ``max_edges`` and
``operations`` there are 423,624 different cells, as in [1].

The walk asks for the whole upper triangle of the ``max_nodes`` x ``max_nodes`` adjacency matrix, row by row,
and for an operation for each inner node, always the same questions. Nodes that lie on no path from the input
to the output are no part of the network ("pruned"); they stay in the encoding, where mutation and crossover
can revive them.

Deviations from [1]: the macro-structure is smaller unless ``stem_channels=128, stacks=3, cells_per_stack=3``
is set; batch normalisation averages with PyTorch's momentum of 0.1 instead of 0.003, which needs thousands of
steps to forget its start (``batch_norm_momentum``); weights start as PyTorch's layers do; small images are
halved less often. As in [1], a remainder in the division of the output's channels goes to the first nodes in
the encoding's order, so two encodings of one cell can differ by a channel here and there, and by a fraction
of a percent of the parameters.

[1] Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import networkx as nx
from pydantic import Field, field_validator

from automl import (
    Architecture,
    BaseOptions,
    Chooser,
    Decision,
    GraphSpace,
    InvalidArchitecture,
    Value,
    random_topological_order,
)
from automl_spaces.ops.activations.choice import (
    DEFAULT,
    Level,
    check_activation,
    choose_activation,
    encode_activation,
    mark_activation,
    offered,
    take_activation,
)
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    from numpy.random import Generator
    from torch import nn

    from automl import Task

Operation = Literal["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"]

_SHORT = {"conv3x3-bn-relu": "3x3", "conv1x1-bn-relu": "1x1", "maxpool3x3": "pool"}
_ABSENT_OR_PRESENT = (False, True)


class NasCellOptions(BaseOptions):
    """Options of `NasCell`. The network of [1] has 128 stem channels and 3 stacks of 3 cells."""

    max_nodes: int = Field(default=7, ge=2, le=10)
    """Nodes of a cell before pruning, input and output included."""

    max_edges: int = Field(default=9, ge=1)
    """Edges of a cell after pruning, at most."""

    operations: tuple[Operation, ...] = Field(
        default=("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"), min_length=1
    )
    """Operations that an inner node chooses from."""

    stem_channels: int = Field(default=16, ge=8)
    """Channels of the stem and the first stack; they double from stack to stack. Published: 128."""

    stacks: int = Field(default=2, ge=1, le=6)
    """Stacks of cells, with downsampling between them. Published: 3."""

    cells_per_stack: int = Field(default=1, ge=1, le=20)
    """Equal cells in each stack. Published: 3."""

    batch_norm_momentum: float = Field(default=0.1, gt=0, le=1)
    """Weight of the newest batch in the running statistics of batch normalisation. Published: 0.003."""

    activation: str = DEFAULT
    """Activation of all layers in place of ReLU: a name of `automl list activations`, or `search` for a decision."""

    activation_level: Level = "curated"
    """What `search` offers: the twelve in common use, family and then member, or all at once."""

    @field_validator("operations")
    @classmethod
    def _distinct(cls, operations: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(operations)) < len(operations):
            raise ValueError("operations must be distinct")
        return operations

    @field_validator("activation")
    @classmethod
    def _known(cls, activation: str) -> str:
        return check_activation(activation)


@dataclass(frozen=True, slots=True)
class Cell:
    """An adjacency matrix and the operations of its inner nodes, before or after pruning.

    Attributes:
        operations: operation of each inner node; node 0 is the input, node ``len(operations) + 1`` the
        output. edges: pairs ``(source, target)``, ``source < target``, in lexicographic order. activation: of
        the whole network.

    >>> Cell(("maxpool3x3", "maxpool3x3"), ((0, 1), (0, 2), (1, 3))).pruned()
    Cell(operations=('maxpool3x3',), edges=((0, 1), (1, 2)), activation='relu')
    """

    operations: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    activation: str = DEFAULT

    def live(self) -> int:
        """Return the nodes on paths from input to output, node i as bit i; 0 when there is no path."""
        reached = 1
        for source, target in self.edges:
            reached |= (reached >> source & 1) << target
        reaching = 2 << len(self.operations)
        for source, target in reversed(self.edges):
            reaching |= (reaching >> target & 1) << source
        return reached & reaching

    def pruned(self) -> Cell:
        """Return the cell without the nodes that lie on no path from the input to the output.

        Raises:
            InvalidArchitecture: there is no such path.
        """
        live = self.live()
        if live == (4 << len(self.operations)) - 1:
            return self
        if not live:
            raise InvalidArchitecture("the cell has no path from its input to its output; connect them")
        place = [(live & ((1 << node) - 1)).bit_count() for node in range(len(self.operations) + 2)]
        return Cell(
            tuple(operation for node, operation in enumerate(self.operations, 1) if live >> node & 1),
            tuple((place[i], place[j]) for i, j in self.edges if live >> i & live >> j & 1),
            self.activation,
        )


_3X3, _1X1, _POOL = "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3"
NAMED: Mapping[str, Cell] = MappingProxyType(
    {
        "resnet": Cell((_3X3, _3X3), ((0, 1), (0, 3), (1, 2), (2, 3))),
        "inception": Cell(
            (_1X1, _3X3, _3X3, _3X3, _POOL),
            ((0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)),
        ),
    }
)
"""Cells with a name: `resnet` is two convolutions of 3 x 3 with a way around both; `inception` has branches of 1 x 1,
of 3 x 3, of two times 3 x 3 (for 5 x 5) and of pooling."""


class NasCell(GraphSpace[Cell]):
    """Cells of up to 7 nodes with an operation on each inner node, stacked into a convolutional network.

    >>> import numpy as np
    >>> space = NasCell(NasCellOptions(max_nodes=4))
    >>> len({space.key(architecture) for architecture in space.enumerate()})
    91
    """

    paper: ClassVar[str] = "Ying et al. NAS-Bench-101: Towards reproducible neural architecture search. 2019."
    Options: ClassVar[type[BaseOptions]] = NasCellOptions
    named_blueprints = NAMED

    def decide(self, choose: Chooser) -> Cell:
        """Ask for every possible edge, then for every inner node's operation, then for the activation if it is open."""
        pairs, inner = _questions(self.options.max_nodes)
        edges = tuple([pair for name, pair in pairs if choose.categorical(name, _ABSENT_OR_PRESENT, role="edge")])
        options = self.options.operations
        operations = tuple([choose.categorical(name, options, role="operation") for name in inner])
        activation = choose_activation(choose, self.options.activation, self.options.activation_level)
        cell = Cell(operations, edges, activation)
        self._check(cell)
        return cell

    def encode(self, blueprint: Cell) -> Mapping[str, Value]:
        """Return the matrix and the operations; a cell of fewer nodes is filled up with unconnected ones.

        Raises:
            InvalidArchitecture: it has more nodes than ``max_nodes`` on paths from the input to the output.
        """
        blueprint = self._padded(self._fitting(blueprint))
        pairs, inner = _questions(self.options.max_nodes)
        present = set(blueprint.edges)
        values: dict[str, Value] = {name: pair in present for name, pair in pairs}
        values.update(zip(inner, blueprint.operations, strict=True))
        values.update(encode_activation(blueprint.activation, self.options.activation, self.options.activation_level))
        return values

    def check(self, task: Task) -> None:
        """Refuse tasks whose inputs are no images."""
        image_shape(task, "nas_cell")

    def build(self, blueprint: Cell, task: Task) -> nn.Module:
        """Return the network for images of any size.

        Raises:
            ConfigurationError: the task's inputs are no images.
        """
        from automl_spaces.ops.vertex_cell import Macro, vertex_cell_network

        options, cell = self.options, blueprint.pruned()
        momentum = options.batch_norm_momentum
        macro = Macro(options.stem_channels, options.stacks, options.cells_per_stack, momentum, cell.activation)
        return vertex_cell_network(cell.operations, cell.edges, macro, task, "nas_cell")

    def title(self, blueprint: Cell) -> str:
        """Return the size and the operations of the pruned cell: ``5 nodes, 6 edges: 3x3, 1x1, pool``."""
        cell = blueprint.pruned()
        edges = len(cell.edges)
        counts = f"{len(cell.operations) + 2} nodes, {edges} edge{'s' if edges > 1 else ''}"
        activation = "" if cell.activation == DEFAULT else f", {cell.activation}"
        return f"{counts}: {', '.join(map(_SHORT.__getitem__, cell.operations)) or 'no operation'}{activation}"

    def mutation_rates(self, decisions: list[Decision]) -> list[float]:
        """Return the rates of [1]: ``1 / max_nodes`` for an edge, one operation on average."""
        nodes = self.options.max_nodes
        rates = {"edge": 1 / nodes, "operation": 1 / max(nodes - 2, 1)}
        return [rates.get(decision.role, 1 / nodes) for decision in decisions]

    def graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return the graph before pruning, so that edits can revive nodes; input and output are terminals."""
        last = len(blueprint.operations) + 1
        graph: nx.DiGraph[Any] = nx.DiGraph()
        graph.add_node(0, label="input", terminal=True)
        for node, operation in enumerate(blueprint.operations, 1):
            graph.add_node(node, label=operation)
        graph.add_node(last, label="output", terminal=True)
        graph.add_edges_from(blueprint.edges)
        mark_activation(graph, blueprint.activation, 0)
        return graph

    def computed_graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return the graph after pruning."""
        return self.graph(blueprint.pruned())

    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> Cell:
        """Return a cell whose nodes are in a topological order drawn by ``rng``, input first and output last.

        A graph of fewer than ``max_nodes`` nodes is filled up, before the output, with unconnected nodes of
        the first operation. A graph of more nodes loses those that lie on no path from the input to the
        output.

        Raises:
            InvalidArchitecture: a label is unknown, the graph has a cycle, an edge into the input or out of
                the output, no path between them, or too many nodes or edges on such paths.
        """
        activation, rest = take_activation(graph)
        cell = self._padded(self._fitting(_ordered(rest, self.options.operations, rng, activation)))
        self._check(cell)
        return cell

    def enumerate(self) -> Iterator[Architecture]:
        """Yield each matrix that pruning leaves whole, small ones first, with each assignment and activation.

        Isomorphic matrices are repeats that this does not foresee.
        """
        options = self.options
        activations = offered(options.activation, options.activation_level)
        for inner in range(options.max_nodes - 1):
            pairs = tuple(itertools.combinations(range(inner + 2), 2))
            placeholders = ("",) * inner
            for mask in range(1, 1 << len(pairs)):
                if mask.bit_count() > options.max_edges:
                    continue
                edges = tuple([pair for bit, pair in enumerate(pairs) if mask >> bit & 1])
                if Cell(placeholders, edges).live() != (4 << inner) - 1:
                    continue
                for *operations, activation in itertools.product(*[options.operations] * inner, activations):
                    yield Architecture.of(self.encode(self._padded(Cell(tuple(operations), edges, activation))))

    def _check(self, cell: Cell) -> None:
        live = cell.live()
        if not live:
            raise InvalidArchitecture("the cell has no path from its input to its output; connect them")
        edges = sum([live >> source & live >> target & 1 for source, target in cell.edges])
        if edges > self.options.max_edges:
            raise InvalidArchitecture(
                f"a cell may have {self.options.max_edges} edges after pruning, but this one has {edges}"
            )

    def _fitting(self, cell: Cell) -> Cell:
        most = self.options.max_nodes
        if len(cell.operations) + 2 > most:
            cell = cell.pruned()
        if len(cell.operations) + 2 > most:
            found = len(cell.operations) + 2
            raise InvalidArchitecture(f"a cell may have {most} nodes after pruning, but this one has {found}")
        return cell

    def _padded(self, cell: Cell) -> Cell:
        last, missing = len(cell.operations) + 1, self.options.max_nodes - 2 - len(cell.operations)
        if not missing:
            return cell
        end = last + missing
        edges = tuple([(source, end if target == last else target) for source, target in cell.edges])
        return Cell(cell.operations + (self.options.operations[0],) * missing, edges, cell.activation)


@lru_cache(maxsize=32)
def _questions(nodes: int) -> tuple[list[tuple[str, tuple[int, int]]], list[str]]:
    """Return the names of the edges, with their pairs, and of the operations, of ``nodes`` nodes."""
    pairs = itertools.combinations(range(nodes), 2)
    return [(f"edge_{i}_{j}", (i, j)) for i, j in pairs], [f"operation_{i}" for i in range(1, nodes - 1)]


def _ordered(graph: nx.DiGraph[Any], operations: tuple[str, ...], rng: Generator, activation: str) -> Cell:
    """Return the whole graph as a cell of as many nodes."""
    labels: dict[Any, str] = dict(graph.nodes(data="label"))
    ends = {labels[node]: node for node, fixed in graph.nodes(data="terminal") if fixed}
    if set(ends) != {"input", "output"}:
        raise InvalidArchitecture(f"a cell's terminals must be `input` and `output`, but are {sorted(ends)}")
    unknown = {label for node, label in labels.items() if node not in ends.values()} - set(operations)
    if unknown:
        raise InvalidArchitecture(f"operations must be among {operations}, but {sorted(unknown)} were found")
    order = random_topological_order(graph, rng, first=(ends["input"],), last=(ends["output"],))
    place = {node: position for position, node in enumerate(order)}
    edges = sorted((place[source], place[target]) for source, target in graph.edges)
    return Cell(tuple(labels[node] for node in order[1:-1]), tuple(edges), activation)
