"""Normalisation-activation layers as expression graphs: tensors in, tensors of the same shape out [1].

A graph has four initial nodes and, in the search of [1], ten intermediate ones, each an operation on earlier nodes; the
last node is the output. Fifteen types of operation exist, three of which aggregate over one of four index sets.

Where [1] is silent or could not be read again, this is what we do:

* ε is 1e-5 everywhere: inside the root of moments; a divisor with ``|b| < ε`` becomes ``±ε`` (``+ε`` at zero);
  ``LOG(a) = sign(a) ln(|a| + ε)`` and ``SQRT(a) = sign(a) √(|a| + ε)``, so both are 0 at 0 with finite gradients.
* A layer has one ``v0`` and one ``v1``, shared by all nodes that read them, and a trainable affine map outside the
  graph: ``layer(x) = γ G(x) + β``.
* A random node draws its type uniformly, then the index set if it aggregates, then its operands.

[1] Liu, Brock, Simonyan, Le. Evolving Normalization-Activation Layers. NeurIPS 2020. arXiv 2004.02967.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Literal

from automl import InvalidArchitecture

if TYPE_CHECKING:
    from numpy.random import Generator

INITIAL = ("x", "zero", "v0", "v1")
X, ZERO, V0, V1 = range(len(INITIAL))

ARITY = {
    **dict.fromkeys(("ADD", "MUL", "DIV", "MAX"), 2),
    **dict.fromkeys(("NEG", "SIGMOID", "TANH", "EXP", "LOG", "ABS", "SQUARE", "SQRT", "MEAN", "RMS", "STD"), 1),
}
"""The fifteen types of operation and their numbers of operands."""
OPERATIONS = tuple(ARITY)
AGGREGATIONS = ("MEAN", "RMS", "STD")
COMMUTATIVE = ("ADD", "MUL", "MAX")

INDEX_SETS = ("bwh", "wh", "whc", "whc/g")
"""What aggregations run over: as batch, instance, layer and group normalisation do."""

Series = Literal["B", "S"]

_LONGEST = 48
"""Characters of a sub-expression's text beyond which its digest stands for it."""


def index_sets(series: Series) -> tuple[str, ...]:
    """Return the index sets of a series: only B may look across the batch."""
    return INDEX_SETS if series == "B" else INDEX_SETS[1:]


@dataclass(frozen=True, slots=True)
class Node:
    """One operation on earlier nodes.

    Attributes:
        operation: one of `OPERATIONS`.
        operands: numbers of earlier nodes; 0 to 3 are those of `INITIAL`.
        over: the index set of an aggregation, empty for the others.

    >>> str(Node("STD", (0,), "wh")), str(Node("DIV", (0, 4)))
    ('STD{wh} 0', 'DIV 0 4')
    """

    operation: str
    operands: tuple[int, ...]
    over: str = ""

    @property
    def label(self) -> str:
        """The operation with its index set: ``STD{wh}``."""
        return f"{self.operation}{{{self.over}}}" if self.over else self.operation

    def __str__(self) -> str:
        """Return the text that `Expression.parse` reads."""
        return " ".join((self.label, *map(str, self.operands)))


@dataclass(frozen=True, slots=True)
class Expression:
    """The intermediate nodes of a layer, in order; the first is node 4, and the last is the output.

    >>> Expression.parse("STD{whc/g} 0; DIV 0 4").formula()
    'x / std{whc/g}(x)'
    """

    nodes: tuple[Node, ...]

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Return the expression that `str` wrote: nodes between semicolons, each a label and its operands.

        Raises:
            InvalidArchitecture: a label is unknown, or operands are not as many as the operation takes, or not earlier.
        """
        nodes = tuple([_parse_node(part) for part in text.split(";")])
        for number, node in enumerate(nodes, len(INITIAL)):
            check_node(node, number)
        return cls(nodes)

    def __str__(self) -> str:
        """Return one line that `parse` reads back."""
        return "; ".join(map(str, self.nodes))

    @property
    def output(self) -> int:
        """The number of the output node."""
        return len(INITIAL) + len(self.nodes) - 1

    def numbered(self) -> Iterator[tuple[int, Node]]:
        """Yield the intermediate nodes with their numbers."""
        return enumerate(self.nodes, len(INITIAL))

    def live(self) -> set[int]:
        """Return the numbers of the nodes that the output depends on, itself and initial nodes included."""
        found, waiting = {self.output}, [self.output]
        while waiting:
            number = waiting.pop()
            if number >= len(INITIAL):
                new = set(self.nodes[number - len(INITIAL)].operands) - found
                found |= new
                waiting.extend(new)
        return found

    def depends_on_x(self) -> bool:
        """Say whether a path leads from the input to the output."""
        reached = 1 << X
        for number, node in self.numbered():
            if any(reached >> operand & 1 for operand in node.operands):
                reached |= 1 << number
        return bool(reached >> self.output & 1)

    def reads_batch(self) -> bool:
        """Say whether a live node aggregates over the batch, so that the layer keeps running moments."""
        live = self.live()
        return any("b" in node.over for number, node in self.numbered() if number in live)

    def canonical(self) -> Expression:
        """Return the same function without dead nodes and repeats, in an order that does not depend on the encoding.

        Equal sub-expressions become one node; operands of ADD, MUL and MAX are sorted. Nothing else is simplified.
        """
        texts = list(INITIAL)
        for node in self.nodes:
            texts.append(_text(node, [texts[operand] for operand in node.operands]))
        places = {text: number for number, text in enumerate(INITIAL)}
        kept: list[Node] = []

        def visit(number: int) -> int:
            text = texts[number]
            if text not in places:
                node = self.nodes[number - len(INITIAL)]
                operands = list(node.operands)
                if node.operation in COMMUTATIVE:
                    operands.sort(key=texts.__getitem__)
                arrived = [visit(operand) for operand in operands]
                places[text] = len(INITIAL) + len(kept)
                kept.append(Node(node.operation, tuple(arrived), node.over))
            return places[text]

        visit(self.output)
        return Expression(tuple(kept))

    def padded(self, size: int) -> Expression:
        """Return the same function in ``size`` nodes: dead ones, ``NEG 0``, are put before the others.

        Raises:
            InvalidArchitecture: there are more nodes already.
        """
        missing = size - len(self.nodes)
        if missing < 0:
            raise InvalidArchitecture(
                f"an expression may have {size} nodes, but this one has {len(self.nodes)}: {self}"
            )
        moved = [
            Node(node.operation, tuple([i + missing * (i >= len(INITIAL)) for i in node.operands]), node.over)
            for node in self.nodes
        ]
        return Expression((Node("NEG", (X,)),) * missing + tuple(moved))

    def formula(self) -> str:
        """Return one line of infix notation for a person; sub-expressions read twice are named after ``where``."""
        from automl_spaces.evonorm.formula import formula

        return formula(self)


def random_node(number: int, series: Series, rng: Generator) -> Node:
    """Draw node ``number``: the type, the index set and the operands, each uniformly."""
    draws = rng.random(4).tolist()
    return _node_of(draws, number, index_sets(series))


def random_expression(rng: Generator, size: int = 10, series: Series = "B") -> Expression:
    """Draw an expression of ``size`` nodes: the distribution of `random_node` at each place."""
    sets = index_sets(series)
    rows = rng.random((size, 4)).tolist()
    return Expression(tuple([_node_of(row, number, sets) for number, row in enumerate(rows, len(INITIAL))]))


def check_node(node: Node, number: int) -> None:
    """Raise `InvalidArchitecture` unless ``node`` may stand at place ``number``."""
    arity, is_aggregation = ARITY.get(node.operation), node.operation in AGGREGATIONS
    if arity is None or (node.over not in INDEX_SETS if is_aggregation else node.over):
        raise InvalidArchitecture(
            f"node {number} must be one of {', '.join(OPERATIONS)}, with one of {', '.join(INDEX_SETS)} in braces if "
            f"it is one of the last three, but is {node.label!r}"
        )
    if len(node.operands) != arity or not all(0 <= operand < number for operand in node.operands):
        raise InvalidArchitecture(
            f"node {number}, {node.label}, takes {arity} of the nodes 0 to {number - 1}, but has {node.operands}"
        )


def _node_of(draws: Sequence[float], number: int, sets: tuple[str, ...]) -> Node:
    operation = OPERATIONS[int(draws[0] * len(OPERATIONS))]
    first = int(draws[1] * number)
    if ARITY[operation] == 2:
        return Node(operation, (first, int(draws[2] * number)))
    return Node(operation, (first,), sets[int(draws[3] * len(sets))] if operation in AGGREGATIONS else "")


def _parse_node(text: str) -> Node:
    label, *operands = text.split() or [""]
    operation, bracket, over = label.partition("{")
    if not all(operand.isascii() and operand.isdigit() for operand in operands) or (bracket and over[-1:] != "}"):
        raise InvalidArchitecture(
            f"{text.strip()!r} is no node of an expression; write an operation and the numbers of its operands, as in "
            "`STD{wh} 0; DIV 0 4`"
        )
    return Node(operation, tuple(map(int, operands)), over[:-1])


def _text(node: Node, operands: list[str]) -> str:
    """Return a text that equal sub-expressions share, whatever the order of commutative operands."""
    if node.operation in COMMUTATIVE:
        operands.sort()
    text = f"{node.label}({','.join(operands)})"
    return text if len(text) <= _LONGEST else blake2b(text.encode(), digest_size=16).hexdigest()
