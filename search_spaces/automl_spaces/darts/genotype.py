"""Cells of DARTS [1]: what they are, how they are written, and those with a name.

Nodes are numbered as in [1]: 0 is the output of the cell before the last, 1 that of the last cell, and inner nodes go
from 2 on. An inner node is the sum of two earlier nodes, each after an operation; the cell's output is all inner nodes,
their channels behind one another. Imports no torch.

[1] Liu, Simonyan and Yang. DARTS: Differentiable architecture search. ICLR 2019. arXiv 1806.09055.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias, get_args

from automl import InvalidArchitecture

Operation: TypeAlias = Literal[
    "max_pool_3x3",
    "avg_pool_3x3",
    "skip_connect",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
    "none",
]
NONE: Operation = "none"
EVERY_OPERATION: tuple[Operation, ...] = get_args(Operation)
OPERATIONS: tuple[Operation, ...] = tuple(name for name in EVERY_OPERATION if name != NONE)
"""The operations of a network. While DARTS searches there is `NONE`, too; its answer never has it."""

INPUTS = 2
"""Inputs of a cell, and of an inner node."""

Edge: TypeAlias = tuple[str, int]
"""An operation, and the node that it reads."""

_SHORT = {
    "max_pool_3x3": "max",
    "avg_pool_3x3": "avg",
    "skip_connect": "skip",
    "sep_conv_3x3": "sep3",
    "sep_conv_5x5": "sep5",
    "dil_conv_3x3": "dil3",
    "dil_conv_5x5": "dil5",
    NONE: NONE,
}


class Genotype(NamedTuple):
    """Two cells in the form of the published program; any four such values in this order will do in its place.

    Attributes:
        normal: edges of the normal cell, two for each inner node in turn.
        normal_concat: nodes that make its output.
        reduce: edges of the reduction cell.
        reduce_concat: nodes that make its output.
    """

    normal: Sequence[Edge]
    normal_concat: Sequence[int]
    reduce: Sequence[Edge]
    reduce_concat: Sequence[int]


@dataclass(frozen=True, slots=True)
class Cell:
    """The two edges of each inner node; their order does not matter to the network.

    >>> Cell.parse("skip_connect:0 max_pool_3x3:1").nodes
    ((('skip_connect', 0), ('max_pool_3x3', 1)),)
    """

    nodes: tuple[tuple[Edge, Edge], ...]

    @classmethod
    def of(cls, edges: Sequence[Edge]) -> Cell:
        """Return the cell of edges, two for each inner node in turn; they may be `NONE` and read the same node.

        Raises:
            InvalidArchitecture: an operation is unknown, an edge reads no earlier node, or their number is odd or 0.
        """
        if not edges or len(edges) % INPUTS:
            raise InvalidArchitecture(
                f"a cell has two edges for each of its inner nodes, but there are {len(edges)} in all"
            )
        for position, (operation, source) in enumerate(edges):
            node = INPUTS + position // INPUTS
            if operation not in _SHORT:
                raise InvalidArchitecture(f"operations are {', '.join(_SHORT)}, but node {node} has {operation!r}")
            if not 0 <= source < node:
                raise InvalidArchitecture(f"node {node} reads nodes 0 to {node - 1}, but an edge of it reads {source}")
        pairs = zip(edges[::INPUTS], edges[1::INPUTS], strict=True)
        return cls(tuple([((str(a), int(i)), (str(b), int(j))) for (a, i), (b, j) in pairs]))

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Return the cell of ``operation:input`` entries between spaces, as the columns of the data `darts_1k` have.

        Raises:
            InvalidArchitecture: it is none.
        """
        edges = []
        for entry in text.split():
            operation, _, source = entry.partition(":")
            if not source.isdecimal():
                raise InvalidArchitecture(f"entries of a cell are operation:input, but found {entry!r}")
            edges.append((operation, int(source)))
        return cls.of(edges)

    @property
    def edges(self) -> tuple[Edge, ...]:
        """All edges, two for each inner node in turn."""
        return tuple([edge for pair in self.nodes for edge in pair])

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return " ".join(f"{operation}:{source}" for operation, source in self.edges)

    def short(self) -> str:
        """Return ``sep3(0)+skip(1)`` for each inner node."""
        sums = ["+".join(f"{_SHORT[operation]}({source})" for operation, source in pair) for pair in self.nodes]
        return ", ".join(sums)


@dataclass(frozen=True, slots=True)
class Cells:
    """A normal and a reduction cell, with equally many inner nodes: an architecture of the space.

    >>> Cells.of(NAMED["darts_v2"].genotype()) == NAMED["darts_v2"]
    True
    """

    normal: Cell
    reduce: Cell

    @classmethod
    def of(cls, genotype: tuple[Sequence[Edge], Sequence[int], Sequence[Edge], Sequence[int]]) -> Cells:
        """Return the cells of a genotype: a `Genotype`, or the published program's tuple of the same name.

        Raises:
            InvalidArchitecture: `Cell.of` refuses a cell, they differ in size, or an output leaves out inner nodes.
        """
        normal, normal_concat, reduce, reduce_concat = genotype
        cells = cls(Cell.of(normal), Cell.of(reduce))
        if len(cells.normal.nodes) != len(cells.reduce.nodes):
            found = f"{len(cells.normal.nodes)} and {len(cells.reduce.nodes)}"
            raise InvalidArchitecture(f"both cells have as many inner nodes, but these have {found}")
        inner = list(range(INPUTS, INPUTS + len(cells.normal.nodes)))
        for concatenated in (normal_concat, reduce_concat):
            if sorted(concatenated) != inner:
                raise InvalidArchitecture(f"the output of a cell is its nodes {inner}, but found {list(concatenated)}")
        return cells

    def genotype(self) -> Genotype:
        """Return the form of the published program."""
        inner = tuple(range(INPUTS, INPUTS + len(self.normal.nodes)))
        return Genotype(self.normal.edges, inner, self.reduce.edges, inner)

    def __str__(self) -> str:
        """Return both cells in one line, operations shortened."""
        return f"normal {self.normal.short()}; reduce {self.reduce.short()}"


_POOLED = (
    "max_pool_3x3:0 max_pool_3x3:1 skip_connect:2 max_pool_3x3:{0} max_pool_3x3:0 skip_connect:2 skip_connect:2 {1}"
)
NAMED: Mapping[str, Cells] = MappingProxyType(
    {
        "darts_v1": Cells(
            Cell.parse(
                "sep_conv_3x3:1 sep_conv_3x3:0 skip_connect:0 sep_conv_3x3:1 "
                "skip_connect:0 sep_conv_3x3:1 sep_conv_3x3:0 skip_connect:2"
            ),
            Cell.parse(_POOLED.format(0, "avg_pool_3x3:0")),
        ),
        "darts_v2": Cells(
            Cell.parse(
                "sep_conv_3x3:0 sep_conv_3x3:1 sep_conv_3x3:0 sep_conv_3x3:1 "
                "sep_conv_3x3:1 skip_connect:0 skip_connect:0 dil_conv_3x3:2"
            ),
            Cell.parse(_POOLED.format(1, "max_pool_3x3:1")),
        ),
    }
)
"""What DARTS found on CIFAR-10, as the authors published it: `darts_v1` to first order, `darts_v2` to second order. The
latter has 3,349,342 parameters at 36 channels and 20 cells, the auxiliary head apart."""
