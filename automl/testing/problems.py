"""Small spaces, a task and evaluators that suites run on; importable by name in worker processes.

They stand for the shapes that a strategy meets: a flat space, a space of graphs with many encodings per network, and a
conditional space with a decision of every kind. None of them imports torch before a network or a batch is asked for.
"""

from __future__ import annotations

import itertools
import math
import os
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import networkx as nx
from pydantic import Field

from automl.decisions import Chooser, Value
from automl.errors import InvalidArchitecture, Pruned
from automl.evaluator import Candidate, Context, Evaluator, EvaluatorOptions, Metric
from automl.graphs.topology import random_topological_order
from automl.options import BaseOptions
from automl.seeds import derive_seed
from automl.space import GraphSpace, SearchSpace
from automl.task import SplitName, Task, TaskKind, digest_of

if TYPE_CHECKING:
    import torch
    from numpy.random import Generator
    from torch import Tensor, nn

HOME = "automl.testing.problems"
BEHAVIOURS = ("fine", "raise", "nan", "text", "prune", "sysexit", "exit", "segfault", "kill", "hang", "memory")

_NODES = 5
_OPERATIONS = ("conv", "pool", "skip")


class FlatSpace(SearchSpace[tuple[str, ...]]):
    """Six independent choices of three: 729 architectures.

    >>> FlatSpace().size()
    729.0
    """

    def decide(self, choose: Chooser) -> tuple[str, ...]:
        """Ask for the six choices."""
        return tuple(choose.categorical(f"choice_{i}", ("a", "b", "c"), role="choice") for i in range(6))

    def build(self, blueprint: tuple[str, ...], task: Task) -> nn.Module:
        """Return a linear network."""
        return _perceptron(task, ())


@dataclass(frozen=True, slots=True)
class Cell:
    """A small labelled DAG: node 0 is the input, the last node the output, edges go forward."""

    operations: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]


class CellSpace(GraphSpace[Cell]):
    """Cells of five nodes with an operation on each inner node; what does not lie on a path is pruned.

    >>> import numpy as np
    >>> space = CellSpace()
    >>> cell = space.sample(np.random.default_rng(0))
    >>> space.key(space.reorder(cell, np.random.default_rng(1))) == space.key(cell)
    True
    """

    def decide(self, choose: Chooser) -> Cell:
        """Ask for every forward edge, then for every operation."""
        pairs = itertools.combinations(range(_NODES), 2)
        edges = tuple(pair for pair in pairs if choose.categorical(_edge(pair), (False, True), role="edge"))
        operations = tuple(
            choose.categorical(f"operation_{i}", _OPERATIONS, role="operation") for i in range(1, _NODES - 1)
        )
        cell = Cell(operations, edges)
        if not nx.has_path(self.graph(cell), 0, _NODES - 1):
            raise InvalidArchitecture("the cell has no path from its input to its output")
        return cell

    def encode(self, blueprint: Cell) -> Mapping[str, Value]:
        """Return the answers of the walk."""
        present = set(blueprint.edges)
        values: dict[str, Value] = {_edge(pair): pair in present for pair in itertools.combinations(range(_NODES), 2)}
        values.update({f"operation_{i}": operation for i, operation in enumerate(blueprint.operations, 1)})
        return values

    def graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return all five nodes."""
        graph: nx.DiGraph[Any] = nx.DiGraph()
        graph.add_node(0, label="input", terminal=True)
        graph.add_nodes_from((i, {"label": name}) for i, name in enumerate(blueprint.operations, 1))
        graph.add_node(_NODES - 1, label="output", terminal=True)
        graph.add_edges_from(blueprint.edges)
        return graph

    def computed_graph(self, blueprint: Cell) -> nx.DiGraph[Any]:
        """Return the nodes on paths from input to output."""
        graph, last = self.graph(blueprint), _NODES - 1
        live = ({0} | nx.descendants(graph, 0)) & ({last} | nx.ancestors(graph, last))
        kept: nx.DiGraph[Any] = graph.subgraph(live).copy()
        return kept

    def from_graph(self, graph: nx.DiGraph[Any], rng: Generator) -> Cell:
        """Return a cell in a random topological order; raises `InvalidArchitecture`."""
        labels: dict[Any, str] = dict(graph.nodes(data="label"))
        ends = {label: node for node, label in labels.items() if label in ("input", "output")}
        if len(graph) > _NODES or set(ends) != {"input", "output"}:
            raise InvalidArchitecture(f"a cell has {_NODES} nodes, one input and one output")
        order = random_topological_order(graph, rng, first=(ends["input"],), last=(ends["output"],))
        inner = [labels[node] for node in order[1:-1]]
        place = {node: position for position, node in enumerate(order[:-1])} | {order[-1]: _NODES - 1}
        edges = sorted((place[source], place[target]) for source, target in graph.edges)
        operations = (*inner, *(_OPERATIONS[:1] * (_NODES - 2 - len(inner))))
        return Cell(operations, tuple(edges))

    def build(self, blueprint: Cell, task: Task) -> nn.Module:
        """Return a perceptron with a layer per operation."""
        return _perceptron(task, (8,) * len(blueprint.operations))


@dataclass(frozen=True, slots=True)
class Layers:
    """A perceptron: widths of its hidden layers, how they are joined, and a rate of dropout, if any."""

    widths: tuple[int, ...]
    joined: tuple[tuple[int, ...], ...]
    dropout: float | None
    source: int


class ConditionalSpace(SearchSpace[Layers]):
    """A decision of every kind, asked or not depending on earlier answers.

    >>> import numpy as np
    >>> one = ConditionalSpace().sample(np.random.default_rng(0))
    >>> "rate" in one, one["is_dropping"]
    (True, True)
    """

    def decide(self, choose: Chooser) -> Layers:
        """Ask for a depth, then for each layer, then for the dropout."""
        depth = choose.integer("depth", 1, 3)
        widths = tuple(choose.integer(f"width_{i}", 4, 64, log=True, role="width") for i in range(depth))
        joined = tuple(choose.subset(f"inputs_{i}", i + 1, smallest=1, role="inputs") for i in range(depth))
        source = choose.index(f"source@depth={depth}", depth, role="source")
        is_dropping = choose.categorical("is_dropping", (False, True))
        rate = choose.real("rate", 0.01, 0.5, log=True) if is_dropping else None
        return Layers(widths, joined, rate, source)

    def build(self, blueprint: Layers, task: Task) -> nn.Module:
        """Return the perceptron."""
        return _perceptron(task, blueprint.widths)


class BehaviourSpace(SearchSpace[str]):
    """One decision: what the evaluator `Behave` does to its process.

    >>> BehaviourSpace().size()
    11.0
    """

    def decide(self, choose: Chooser) -> str:
        """Ask how to behave."""
        return choose.categorical("behaviour", BEHAVIOURS)

    def build(self, blueprint: str, task: Task) -> nn.Module:
        """Return a linear network."""
        return _perceptron(task, ())


class TinyTask(Task):
    """A few dozen random examples, made on demand.

    >>> TinyTask().input_shape, len(TinyTask().split("train"))
    ((1, 8, 8), 24)
    """

    class Options(BaseOptions):
        """Options of `TinyTask`."""

        shape: tuple[Annotated[int, Field(ge=1)], ...] = (1, 8, 8)
        """Shape of an input."""
        outputs: Annotated[int, Field(ge=1)] = 3
        """Classes, or values of a regression."""
        task_kind: TaskKind = "classification"
        """What is learnt."""
        seed: int = 0
        """Seed of the examples."""

    options: Options

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""
        return self.options.shape

    @property
    def output_size(self) -> int:
        """Number of outputs."""
        return self.options.outputs

    @property
    def task_kind(self) -> TaskKind:
        """What is learnt."""
        return self.options.task_kind

    def load(self, split: SplitName) -> TinySplit:
        """Return 24 training examples, 12 for validation or 12 for the test."""
        return TinySplit(self, split, 24 if split == "train" else 12)

    def digest(self) -> str:
        """Return a hash of the options, of which the examples are a function."""
        return digest_of("tiny", self.options.model_dump_json())


@dataclass(frozen=True, slots=True)
class TinySplit:
    """Random examples that are drawn when the first batch is asked for."""

    task: TinyTask
    name: SplitName
    count: int

    def __len__(self) -> int:
        """Return the number of examples."""
        return self.count

    def batches(
        self, batch_size: int, device: torch.device, *, shuffle: torch.Generator | None = None, drop_last: bool = False
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of a `TensorSplit`."""
        import torch

        from automl.task import TensorSplit

        generator = torch.Generator().manual_seed(derive_seed(self.task.options.seed, self.name))
        inputs = torch.randn(self.count, *self.task.input_shape, generator=generator)
        sums = inputs.flatten(1).sum(1)
        targets = sums.abs().long() % self.task.output_size if self.task.task_kind == "classification" else sums
        yield from TensorSplit(inputs, targets).batches(batch_size, device, shuffle=shuffle, drop_last=drop_last)


class Landscape(Evaluator):
    """A deterministic score of the decisions, learnable but rugged, and the size of the record.

    >>> [metric.name for metric in Landscape().metrics(TinyTask())]
    ['score', 'size']
    """

    class Options(EvaluatorOptions):
        """Options of `Landscape`."""

        failures: Annotated[float, Field(ge=0, le=1)] = 0.0
        """Share of the architectures whose evaluation raises."""

    declared: ClassVar[tuple[Metric, ...]] = (Metric("score", "max"), Metric("size", "min"))

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``score`` and ``size``."""
        return self.declared

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Report three steps and return the score; raises for some."""
        scores = score(candidate.key, candidate.architecture)
        if luck(candidate.key, "failure") < self.options.failures:
            raise ValueError("this candidate is one of those that fail")
        for step in range(3):
            context.check()
            context.report(step, {"score": scores["score"] * (step + 1) / 3})
        return scores


class Behave(Evaluator):
    """Does what the architecture of a `BehaviourSpace` says.

    >>> Behave().metrics(TinyTask())[0].name
    'score'
    """

    def metrics(self, task: Task) -> tuple[Metric, ...]:
        """Return ``score``."""
        return (Metric("score", "max"),)

    def evaluate(self, candidate: Candidate, context: Context) -> Mapping[str, float]:
        """Report one step, then behave."""
        context.report(0, {"score": 0.25})
        return _behave(candidate.blueprint, context)


def luck(key: str, purpose: str) -> float:
    """Return a number in [0, 1) that only ``key`` and ``purpose`` decide."""
    return derive_seed(0, purpose, key) / 2**63


def score(key: str, architecture: Mapping[str, Value]) -> dict[str, float]:
    """Return the metrics of `Landscape`: decisions add up, and a fifth is noise of the key."""
    parts = [luck(f"{name}={value}", "part") for name, value in architecture.items()]
    return {"score": 0.8 * sum(parts) / len(parts) + 0.2 * luck(key, "score"), "size": float(len(parts))}


def _edge(pair: tuple[int, int]) -> str:
    return f"edge_{pair[0]}_{pair[1]}"


def _perceptron(task: Task, widths: tuple[int, ...]) -> nn.Module:
    from torch import nn

    layers: list[nn.Module] = [nn.Flatten()]
    size = math.prod(task.input_shape)
    for width in widths:
        layers += [nn.Linear(size, width), nn.ReLU()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, task.output_size))


def _behave(how: str, context: Context) -> Mapping[str, float]:
    answers: dict[str, Mapping[str, Any]] = {"nan": {"score": math.nan}, "text": {"score": "high"}}
    match how:
        case "raise":
            raise ValueError("this candidate is no good")
        case "prune":
            raise Pruned("not promising")
        case "sysexit":
            sys.exit(5)
        case "exit":
            os._exit(3)
        case "segfault" | "kill":
            os.kill(os.getpid(), signal.SIGSEGV if how == "segfault" else signal.SIGKILL)
        case "hang":
            while True:
                time.sleep(0.05)
        case "memory":
            blocks = []
            while True:
                blocks.append(bytearray(2**24))
    return answers.get(how, {"score": 0.5})
