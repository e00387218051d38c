"""Networks of a normal and a reduction cell, as DARTS searches and trains them [1].

**The walk** asks, for each inner node of the normal and then of the reduction cell, which two of the earlier nodes it
reads (a subset; the first inner node has no choice) and, for each of the two edges, which operation it is. An operation
belongs to its edge, so a node that exchanges one of its inputs keeps the other with its operation. With n nodes before
a node and k operations there are C(n, 2) k^2 answers: for four nodes and seven operations 180 x 7^8 = 1.04 x 10^9
cells, and 1.08 x 10^18 pairs of them, as [1] counts. Sampling is uniform over these, which are cells with numbered
nodes. Two that differ in the numbers only (possible where a node does not read its neighbour) are one network and have
one key.

**The network** is that of [1] for CIFAR-10 (section 3.1.2 and appendix A.2): stem; ``cells`` cells, of which those at
one third and two thirds are reduction cells, with twice the channels of those before them; average; dense layer.
Deviations:

* it is smaller unless ``channels=36, cells=20`` is set;
* images of less than 8 pixels are not halved any more, and odd sides are rounded up when halved;
* the auxiliary head takes the means of quarters where 5 x 5 pooling of stride 3, as published, gives another size than
  2 x 2 pixels;
* the probability of drop-path is constant, while [1] lets it rise from 0, linearly over the epochs.

**Cells beyond.** Random cells, as in the data `darts_1k`, have edges ``none`` and nodes that read one node twice. They
are members where ``operations`` has ``none`` (`EVERY_OPERATION`) and ``repeated_inputs`` is set. The walk then asks for
two positions instead of a subset. `Cell.parse` reads such cells.

[1] Liu, Simonyan and Yang. DARTS: Differentiable architecture search. ICLR 2019. arXiv 1806.09055.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.random import Generator
from pydantic import Field, field_validator

from automl import (
    Architecture,
    BaseOptions,
    Chooser,
    GraphSpace,
    InvalidArchitecture,
    ReplayChooser,
    Value,
)
from automl_spaces.darts.genotype import INPUTS, NAMED, OPERATIONS, Cell, Cells, Edge, Operation
from automl_spaces.darts.graphs import KINDS, cell_graph, cell_of_graph, cells_of_graph, graph_of_cells
from automl_spaces.ops.shapes import image_shape

if TYPE_CHECKING:
    import networkx as nx
    from torch import nn

    from automl import Task


class DartsOptions(BaseOptions):
    """Options of `Darts`; published are ``channels=36``, ``cells=20``, ``auxiliary=0.4`` and ``drop_path=0.2``."""

    channels: int = Field(default=8, ge=2)
    """Channels of a node of the first cells; they double in each of the two reduction cells. Published: 36."""

    cells: int = Field(default=5, ge=3, le=100)
    """Cells, the two reduction cells included. Published: 20."""

    nodes: int = Field(default=4, ge=1, le=8)
    """Inner nodes of a cell. Published: 4."""

    operations: tuple[Operation, ...] = Field(default=OPERATIONS, min_length=1)
    """Operations that an edge chooses from; by default all but `none`."""

    repeated_inputs: bool = False
    """Whether both edges of a node may read the same node."""

    auxiliary: float = Field(default=0.0, ge=0)
    """Weight in the training loss of a second classifier, behind the second reduction cell; 0: none. Published: 0.4."""

    drop_path: float = Field(default=0.0, ge=0, lt=1)
    """Chance that training leaves out an edge for an example; identities always stay. Published: rising to 0.2."""

    @field_validator("operations")
    @classmethod
    def _distinct(cls, operations: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(operations)) < len(operations):
            raise ValueError("operations must be distinct")
        return operations


class Darts(GraphSpace[Cells]):
    """A normal and a reduction cell of four nodes, each the sum of two operations on earlier nodes.

    >>> f"{Darts().size():.3g}"
    '1.08e+18'
    """

    paper: ClassVar[str] = "Liu, Simonyan and Yang. DARTS: Differentiable architecture search. 2019. arXiv 1806.09055."
    Options: ClassVar[type[BaseOptions]] = DartsOptions
    named_blueprints = NAMED

    def decide(self, choose: Chooser) -> Cells:
        """Ask for the two inputs of each inner node and for the operations on them, cell by cell."""
        ask = self._ask_repeated if self.options.repeated_inputs else self._ask_distinct
        nodes = range(INPUTS, INPUTS + self.options.nodes)
        normal, reduce = [Cell(tuple([ask(choose, kind, node) for node in nodes])) for kind in KINDS]
        return Cells(normal, reduce)

    def encode(self, blueprint: Cells) -> Mapping[str, Value]:
        """Return the inputs and the operations by name.

        Raises:
            InvalidArchitecture: the cells have another number of nodes, or read a node twice where that is ruled out.
        """
        values: dict[str, Value] = {}
        for kind, cell in zip(KINDS, (blueprint.normal, blueprint.reduce), strict=True):
            if len(cell.nodes) != self.options.nodes:
                found = len(cell.nodes)
                raise InvalidArchitecture(f"`nodes` = {self.options.nodes}, but a cell has {found} inner nodes")
            for node, pair in enumerate(cell.nodes, INPUTS):
                values |= self._encoded(kind, node, pair)
        return values

    def check(self, task: Task) -> None:
        """Refuse tasks whose inputs are no images."""
        image_shape(task, "darts")

    def build(self, blueprint: Cells, task: Task) -> nn.Module:
        """Return the network for images of any size.

        Raises:
            ConfigurationError: the task's inputs are no images.
        """
        from automl_spaces.darts.network import DartsNetwork, Macro

        options = self.options
        macro = Macro(options.channels, options.cells, options.auxiliary, options.drop_path)
        return DartsNetwork(blueprint, macro, image_shape(task, "darts"), task.output_size)

    def size(self) -> float:
        """Return the number of walks in closed form; all are valid."""
        asked, kinds = self.options, len(self.options.operations)
        earlier = range(INPUTS, INPUTS + asked.nodes)
        inputs = [count**INPUTS if asked.repeated_inputs else math.comb(count, INPUTS) for count in earlier]
        return float((math.prod(inputs) * kinds ** (INPUTS * asked.nodes)) ** len(KINDS))

    def graph(self, blueprint: Cells) -> nx.DiGraph[Any]:
        """Return both cells side by side; see `automl_spaces.darts.graphs`."""
        return graph_of_cells(blueprint)

    def computed_graph(self, blueprint: Cells) -> nx.DiGraph[Any]:
        """Return the graph without edges ``none``."""
        return graph_of_cells(blueprint, is_computed=True)

    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> Cells:
        """Return the cells of a graph, inner nodes in topological orders drawn by ``rng``.

        Raises:
            InvalidArchitecture: it is none of `graph`'s form.
        """
        return cells_of_graph(graph, rng)

    def graphs_of(self, architecture: Architecture) -> tuple[nx.DiGraph[Any], ...]:
        """Return the graph of the normal and that of the reduction cell."""
        cells = self.blueprint(architecture)
        return cell_graph(cells.normal, KINDS[0]), cell_graph(cells.reduce, KINDS[1])

    def architecture_of_graphs(self, graphs: tuple[nx.DiGraph[Any], ...], rng: Generator) -> Architecture:
        """Return an architecture of a normal and a reduction cell.

        Raises:
            InvalidArchitecture: a graph is no cell of this space.
        """
        normal, reduce = [cell_of_graph(graph, kind, rng) for graph, kind in zip(graphs, KINDS, strict=True)]
        return self.record(ReplayChooser(self.encode(Cells(normal, reduce))))

    def _ask_distinct(self, choose: Chooser, kind: str, node: int) -> tuple[Edge, Edge]:
        if node > INPUTS:
            read = choose.subset(f"{kind}_{node}_inputs", node, smallest=INPUTS, largest=INPUTS, role="inputs")
        else:
            read = (0, 1)
        first, second = [
            (choose.categorical(f"{kind}_edge_{source}_{node}", self._kinds, role="operation"), source)
            for source in read
        ]
        return first, second

    def _ask_repeated(self, choose: Chooser, kind: str, node: int) -> tuple[Edge, Edge]:
        read = [choose.index(f"{kind}_{node}_input_{place}", node, role="input") for place in (1, 2)]
        names = [f"{kind}_{node}_operation_{place}" for place in (1, 2)]
        operations = [choose.categorical(name, self._kinds, role="operation") for name in names]
        return (operations[0], read[0]), (operations[1], read[1])

    def _encoded(self, kind: str, node: int, pair: tuple[Edge, Edge]) -> dict[str, Value]:
        if self.options.repeated_inputs:
            values: dict[str, Value] = {f"{kind}_{node}_input_{i}": source for i, (_, source) in enumerate(pair, 1)}
            return values | {f"{kind}_{node}_operation_{i}": operation for i, (operation, _) in enumerate(pair, 1)}
        pair = (pair[0], pair[1]) if pair[0][1] < pair[1][1] else (pair[1], pair[0])
        read = tuple([source for _, source in pair])
        if read[0] == read[1]:
            raise InvalidArchitecture(
                f"node {node} of a {kind} cell reads node {read[0]} twice; set `repeated_inputs` to allow it"
            )
        operations: dict[str, Value] = {f"{kind}_edge_{source}_{node}": operation for operation, source in pair}
        return operations if node == INPUTS else {f"{kind}_{node}_inputs": read, **operations}

    @property
    def _kinds(self) -> tuple[str, ...]:
        operations: tuple[str, ...] = self.options.operations
        return operations
